// Collectives between the ranks of a run: one process (or thread) each with one device. Every rank
// calls the same functions in the same order with tensors of the same shape and type.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "engine/tensor.h"

namespace engine {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Every rank's tensor becomes the sum of all. Goes on beside what the device computes until
  // finish() is called, and the tensors may not be touched until then; they are kept alive.
  virtual void start_all_reduce(const Tensor& tensor) = 0;
  // What runs on the device from now on finds the sums.
  virtual void finish() = 0;

  // These are done where they stand, in the order of the device's other work.
  void all_reduce(const Tensor& tensor) {
    start_all_reduce(tensor);
    finish();
  }
  // Every rank's tensor becomes the root's.
  virtual void broadcast(Tensor& tensor, int root) = 0;
  // whole: [size, ...part]: the parts of all ranks in their order.
  virtual void all_gather(const Tensor& part, Tensor& whole) = 0;
  // The calling thread waits until every rank has come here and done all it had queued.
  virtual void barrier() = 0;
};

// Gives every rank the bytes of rank 0, by whatever started the ranks.
using ShareBytes = std::function<void(std::span<std::byte> bytes)>;

// NCCL between CUDA devices, a device a rank. Blocks until all `size` ranks have come. Collectives
// that fail throw, at the latest in finish() or barrier().
std::unique_ptr<Communicator> make_nccl_communicator(Device device, int rank, int size,
                                                     const ShareBytes& share);

}  // namespace engine
