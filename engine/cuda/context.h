// CudaContext: what kernels need to run on a CUDA device. Only files under a cuda/ folder include
// this; everybody else knows the class by name (engine/context.h).
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <memory>

#include "engine/context.h"
#include "engine/cuda/check.h"

namespace engine {

class Cudnn;  // engine/cuda/cudnn/cudnn.h: handle and plans

// One per thread and device. All contexts of a device share one compute stream, so that work runs
// in the order in which it was asked for, whoever asked: memory that a tensor gives back can be
// handed out again at once (see allocator.h).
class CudaContext {
 public:
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  Device device() const { return {Device::Type::cuda, index_}; }
  // Where kernels and libraries run.
  cudaStream_t stream() const { return stream_; }
  // Made at its first use, on stream().
  cublasHandle_t cublas();
  Cudnn& cudnn();
  // How many blocks a device runs side by side at the least: multiprocessors.
  int multiprocessors() const { return multiprocessors_; }

  CudaSettings settings;

 private:
  friend CudaContext& cuda_context(int index);
  explicit CudaContext(int index);

  int index_;
  int multiprocessors_ = 0;
  cudaStream_t stream_ = nullptr;  // the device's
  cublasHandle_t cublas_ = nullptr;
  Tensor cublas_workspace_;
  std::shared_ptr<Cudnn> cudnn_;  // shared_ptr: the class is complete only where it is made
};

}  // namespace engine
