#include "engine/kernels/matmul.h"

#include "engine/cpu/gemm.h"
#include "engine/cpu/onednn_matmul.h"
#include "engine/kernels/pointwise.h"
#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

template <class T>
void plain_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  const int rank = c.shape().axes();
  const int64_t m = c.shape()[rank - 2], n = c.shape()[rank - 1];
  const int64_t k = a.shape()[rank - (options.transpose_a ? 2 : 1)];
  const int64_t batch = rank == 3 ? c.shape()[0] : 1;
  MatrixView<T> left{a.data<T>(), k, 1}, right{b.data<T>(), n, 1};
  if (options.transpose_a) left = {left.data, 1, m};
  if (options.transpose_b) right = {right.data, 1, k};
  T* product = c.data<T>();
  // A single product is shared out within gemm.
  parallel_for(batch, grain_of(m * n * k / 8), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      gemm<T>({m, n, k, n}, {left.data + i * m * k, left.row_stride, left.column_stride},
              {right.data + i * k * n, right.row_stride, right.column_stride}, product + i * m * n);
    }
  });
}

}  // namespace

Shape matmul_output_shape(const Shape& a, const Shape& b, MatmulOptions options) {
  const int rank = a.axes();
  require((rank == 2 || rank == 3) && b.axes() == rank && (rank == 2 || a[0] == b[0]),
          "matmul: [M,K] and [K,N], or [B,M,K] and [B,K,N] expected, found ", a, " and ", b);
  const int64_t m = a[rank - (options.transpose_a ? 1 : 2)];
  const int64_t ka = a[rank - (options.transpose_a ? 2 : 1)];
  const int64_t kb = b[rank - (options.transpose_b ? 1 : 2)];
  const int64_t n = b[rank - (options.transpose_b ? 2 : 1)];
  require(ka == kb, "matmul: ", a, options.transpose_a ? " transposed" : "", " and ", b,
          options.transpose_b ? " transposed" : "", " do not fit: ", ka, " columns meet ", kb,
          " rows");
  return rank == 2 ? Shape{m, n} : Shape{a[0], m, n};
}

void matmul(CpuContext& ctx, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  const Shape expected = matmul_output_shape(a.shape(), b.shape(), options);
  require(c.shape() == expected, "matmul: output ", expected, " expected, found ", c.shape());
  require(a.dtype() == b.dtype() && a.dtype() == c.dtype(), "matmul: one type expected, found ",
          a.dtype(), ", ", b.dtype(), " and ", c.dtype());
  const int64_t inner = a.shape()[a.shape().axes() - (options.transpose_a ? 2 : 1)];
  const Timer timer(ctx, "matmul", bytes_of(a, b, c),
                    2.0 * static_cast<double>(c.elements()) * static_cast<double>(inner));
  if (c.elements() == 0) return;
  if (a.elements() == 0) return fill(ctx, c, 0.0);  // a sum of nothing
  if (a.dtype() == DType::f32 && ctx.use_library) return onednn_matmul(a, b, options, c);
  for_float(a.dtype(), [&](auto zero) { plain_matmul<decltype(zero)>(a, b, options, c); });
}

}  // namespace engine
