// Copies between the host and a device for which nobody waits: the next batch is uploaded while the
// device computes, and results are read back once they are ready. On the CPU nothing is copied.
#pragma once

#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace engine {

class Upload {
 public:
  virtual ~Upload() = default;

  // The tensors on the device; on the CPU, the same ones. On CUDA the host may change its own at
  // once, and the second call from now overwrites the results, so queue what reads them before it.
  virtual std::vector<Tensor> send(const std::vector<Tensor>& tensors) = 0;
};

class Readback {
 public:
  virtual ~Readback() = default;

  // Asks for the tensors as all work queued so far leaves them. They may be freed at once.
  virtual void start(const std::vector<Tensor>& tensors) = 0;
  // The tensors of the last start(), on the host. Waits for these copies only.
  virtual std::vector<Tensor> finish() = 0;
};

std::unique_ptr<Upload> make_upload(Device device);
std::unique_ptr<Readback> make_readback(Device device);

std::unique_ptr<Upload> make_cuda_upload(int index);      // engine/cuda/transfers.cpp
std::unique_ptr<Readback> make_cuda_readback(int index);  // the same

}  // namespace engine
