// Collectives between the ranks of a run. A rank is a process or a thread that drives one device.
// Every rank calls the same functions in the same order, with tensors of the same shape and type.
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

  // Replaces every rank's tensor by the sum over all ranks. The sum runs concurrently with the
  // device's other work. Until finish() is called the tensor may not be touched; it is kept alive.
  virtual void start_all_reduce(const Tensor& tensor) = 0;
  // Work that is queued on the device from now on sees the sums that have been started.
  virtual void finish() = 0;

  // The following run in order with the device's other work.
  void all_reduce(const Tensor& tensor) {
    start_all_reduce(tensor);
    finish();
  }
  // Replaces every rank's tensor by the root's.
  virtual void broadcast(Tensor& tensor, int root) = 0;
  // whole: [size, ...part]: the parts of all ranks in rank order.
  virtual void all_gather(const Tensor& part, Tensor& whole) = 0;
  // Blocks until every rank has called it and all work that the ranks queued before is done.
  virtual void barrier() = 0;
};

// Gives every rank the bytes of rank 0, through whatever started the ranks.
using ShareBytes = std::function<void(std::span<std::byte> bytes)>;

// NCCL between CUDA devices, one device per rank. Blocks until all `size` ranks have called it. A
// collective that fails throws, at the latest in finish() or barrier().
std::unique_ptr<Communicator> make_nccl_communicator(Device device, int rank, int size,
                                                     const ShareBytes& share);

}  // namespace engine
