// CudaContext: what kernels need to run on a CUDA device. Only files in a cuda/ folder include
// this; all others know just the name of the class (engine/context.h).
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <memory>

#include "engine/context.h"
#include "engine/cuda/check.h"

namespace engine {

class Cudnn;  // engine/cuda/cudnn/cudnn.h: handle and plans

// One per thread and device. All contexts of a device share one compute stream, so work runs in the
// order in which it was queued, by any thread. Memory that a tensor gives back can therefore be
// handed out again at once (see allocator.h).
class CudaContext {
 public:
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  Device device() const { return {Device::Type::cuda, index_}; }
  // The stream on which kernels and libraries run.
  cudaStream_t stream() const { return stream_; }
  // Created at the first use, for stream().
  cublasHandle_t cublas();
  Cudnn& cudnn();
  // The device runs at least this many blocks at the same time.
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
  std::shared_ptr<Cudnn> cudnn_;  // a shared_ptr can be destroyed while the class is incomplete
};

}  // namespace engine
