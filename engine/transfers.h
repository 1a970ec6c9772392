// Tensors on their way between the host and a device, without anybody waiting: the next batch goes
// up while the device computes, and numbers come down when they are ready. On the CPU tensors are
// handed on as they are.
#pragma once

#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace engine {

// Of engine/cuda/transfers.cpp: what the classes below do on CUDA.
class CudaUpload;
class CudaReadback;
std::shared_ptr<CudaUpload> make_cuda_upload(Device device);
std::shared_ptr<CudaReadback> make_cuda_readback(Device device);
std::vector<Tensor> send(CudaUpload& upload, const std::vector<Tensor>& tensors);
void start(CudaReadback& readback, const std::vector<Tensor>& tensors);
std::vector<Tensor> finish(CudaReadback& readback);

class Upload {
 public:
  explicit Upload(Device device);

  // The tensors on the device. They may be changed on the host at once. On CUDA the results hold
  // until the second call from now, when their memory is written anew: by then what reads them must
  // have been queued.
  std::vector<Tensor> send(const std::vector<Tensor>& tensors);

 private:
  std::shared_ptr<CudaUpload> cuda_;  // null on the CPU
};

class Readback {
 public:
  explicit Readback(Device device);

  // Asks for the tensors as they are after all that has been queued; they may be freed at once.
  void start(const std::vector<Tensor>& tensors);
  // The tensors that were asked for last, on the host. Waits for them alone.
  std::vector<Tensor> finish();

 private:
  std::vector<Tensor> here_;            // on the CPU
  std::shared_ptr<CudaReadback> cuda_;  // null on the CPU
};

}  // namespace engine
