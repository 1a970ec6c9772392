#include "engine/cuda/context.h"

#include <map>
#include <utility>

#include "engine/cuda/device.h"

namespace engine {
namespace {

using Contexts = std::map<int, std::unique_ptr<CudaContext>>;
thread_local Contexts own_contexts;
thread_local Contexts* lent_contexts = nullptr;  // of another thread, used instead if not null

constexpr int64_t kCublasWorkspaceBytes = int64_t{32} << 20;  // NVIDIA's advice for Hopper

}  // namespace

CudaContext::CudaContext(int index) : index_(index) {
  use_cuda_device(index);
  stream_ = compute_stream(index);
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index));
}

CudaContext::~CudaContext() {
  if (cublas_ != nullptr) cublasDestroy(cublas_);
}

cublasHandle_t CudaContext::cublas() {
  if (cublas_ != nullptr) return cublas_;
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle));
  // Destroys the handle unless all of the following succeeds.
  std::unique_ptr<cublasContext, cublasStatus_t (*)(cublasHandle_t)> fresh(handle, cublasDestroy);
  check(cublasSetStream(handle, stream_));
  // Sums of low-precision products stay in f32 until they are complete.
  check(cublasSetMathMode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
  cublas_workspace_ = Tensor({kCublasWorkspaceBytes}, DType::u8, device());
  check(cublasSetWorkspace(handle, cublas_workspace_.raw(), kCublasWorkspaceBytes));
  return cublas_ = fresh.release();
}

void set_cuda(int index, const CudaSettings& settings) { cuda_context(index).settings = settings; }

std::function<void()> with_cuda_contexts(std::function<void()> f) {
  return [lent = lent_contexts != nullptr ? lent_contexts : &own_contexts, f = std::move(f)] {
    lent_contexts = lent;
    f();
    lent_contexts = nullptr;
  };
}

CudaContext& cuda_context(int index) {
  Contexts& contexts = lent_contexts != nullptr ? *lent_contexts : own_contexts;
  std::unique_ptr<CudaContext>& context = contexts[index];
  if (context == nullptr) context.reset(new CudaContext(index));
  use_cuda_device(index);
  return *context;
}

}  // namespace engine
