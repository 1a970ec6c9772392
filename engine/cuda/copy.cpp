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
  require(x.shape() == y.shape() && x.dtype() == y.dtype() && x.layout() == y.layout(), "copy: ", x,
          " does not fit ", y);
  const cudaMemcpyKind kind = direction(x, y);
  check(cudaMemcpyAsync(y.raw(), x.raw(), static_cast<size_t>(x.bytes()), kind, ctx.stream()));
  if (kind != cudaMemcpyDeviceToDevice) check(cudaStreamSynchronize(ctx.stream()));
}

}  // namespace engine
