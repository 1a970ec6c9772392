#include "engine/kernels/matmul.h"

#include <limits>

#include "engine/cuda/context.h"
#include "engine/kernels/pointwise.h"

namespace engine {
namespace {

cublasComputeType_t compute_type(const CudaContext& ctx) {
  return ctx.settings.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

int to_int(int64_t extent) {
  require(extent <= std::numeric_limits<int>::max(), "matmul: an extent of ", extent,
          " is too large for cuBLAS");
  return static_cast<int>(extent);
}

}  // namespace

void matmul(CudaContext& ctx, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  check_matmul(a, b, options, c);
  require(c.dtype() == DType::f32, "matmul: expected f32 on CUDA, found ", c.dtype());
  if (c.elements() == 0) return;
  if (a.elements() == 0) return fill(ctx, c, 0.0);  // empty sums
  const int axes = c.shape().axes();
  const int64_t m = c.shape()[axes - 2], n = c.shape()[axes - 1];
  const int64_t k = a.shape()[axes - (options.transpose_a ? 2 : 1)];
  const int64_t batch = axes == 3 ? c.shape()[0] : 1;
  const float one = 1.0f, zero = 0.0f;
  // cuBLAS stores matrices by columns, so it sees ours transposed: c^T = b^T a^T.
  check(cublasGemmStridedBatchedEx(
      ctx.cublas(), options.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
      options.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, to_int(n), to_int(m), to_int(k), &one,
      b.raw(), CUDA_R_32F, to_int(options.transpose_b ? k : n), k * n, a.raw(), CUDA_R_32F,
      to_int(options.transpose_a ? m : k), m * k, &zero, c.raw(), CUDA_R_32F, to_int(n), m * n,
      to_int(batch), compute_type(ctx), CUBLAS_GEMM_DEFAULT));
}

}  // namespace engine
