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
          " is more than cuBLAS counts");
  return static_cast<int>(extent);
}

}  // namespace

void matmul(CudaContext& ctx, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  const Shape expected = matmul_output_shape(a.shape(), b.shape(), options);
  require(c.shape() == expected, "matmul: output ", expected, " expected, found ", c.shape());
  require(a.dtype() == DType::f32 && b.dtype() == DType::f32 && c.dtype() == DType::f32,
          "matmul: f32 expected on CUDA, found ", a.dtype(), ", ", b.dtype(), " and ", c.dtype());
  if (c.elements() == 0) return;
  if (a.elements() == 0) return fill(ctx, c, 0.0);  // a sum of nothing
  const int rank = expected.axes();
  const int64_t m = expected[rank - 2], n = expected[rank - 1];
  const int64_t k = a.shape()[rank - (options.transpose_a ? 2 : 1)];
  const int64_t batch = rank == 3 ? expected[0] : 1;
  const float one = 1.0f, zero = 0.0f;
  // cuBLAS counts by columns: to it our row-major matrices are transposed, and c^T = b^T a^T.
  check(cublasGemmStridedBatchedEx(
      ctx.cublas(), options.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
      options.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, to_int(n), to_int(m), to_int(k), &one,
      b.raw(), CUDA_R_32F, to_int(options.transpose_b ? k : n), k * n, a.raw(), CUDA_R_32F,
      to_int(options.transpose_a ? m : k), m * k, &zero, c.raw(), CUDA_R_32F, to_int(n), m * n,
      to_int(batch), compute_type(ctx), CUBLAS_GEMM_DEFAULT));
}

}  // namespace engine
