#include "engine/cuda/context.h"
#include "engine/kernels/pointwise.h"

namespace engine {
namespace {

cudaMemcpyKind direction(const Tensor& from, const Tensor& to) {
  if (from.device() == kCpu) return cudaMemcpyHostToDevice;
  return to.device() == kCpu ? cudaMemcpyDeviceToHost : cudaMemcpyDeviceToDevice;
}

}  // namespace

void copy(CudaContext& ctx, const Tensor& x, Tensor& y) {
  check_copy(x, y);
  const cudaMemcpyKind kind = direction(x, y);
  check(cudaMemcpyAsync(y.raw(), x.raw(), static_cast<size_t>(x.bytes()), kind, ctx.stream()));
  if (kind != cudaMemcpyDeviceToDevice) check(cudaStreamSynchronize(ctx.stream()));
}

}  // namespace engine
