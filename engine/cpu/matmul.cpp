#include "engine/kernels/matmul.h"

#include "engine/cpu/gemm.h"
#include "engine/cpu/onednn_matmul.h"
#include "engine/kernels/pointwise.h"
#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

template <class T>
void reference_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  const int axes = c.shape().axes();
  const int64_t m = c.shape()[axes - 2], n = c.shape()[axes - 1];
  const int64_t k = a.shape()[axes - (options.transpose_a ? 2 : 1)];
  const int64_t batch = axes == 3 ? c.shape()[0] : 1;
  MatrixView<T> left{a.data<T>(), k, 1}, right{b.data<T>(), n, 1};
  if (options.transpose_a) left = {left.data, 1, m};
  if (options.transpose_b) right = {right.data, 1, k};
  T* product = c.data<T>();
  // gemm divides a single product among the threads itself.
  parallel_for(batch, grain_of(m * n * k / 8), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      gemm<T>({m, n, k, n}, {left.data + i * m * k, left.row_stride, left.column_stride},
              {right.data + i * k * n, right.row_stride, right.column_stride}, product + i * m * n);
    }
  });
}

}  // namespace

void matmul(CpuContext& ctx, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c) {
  check_matmul(a, b, options, c);
  const int64_t inner = a.shape()[a.shape().axes() - (options.transpose_a ? 2 : 1)];
  const Timer timer(ctx, "matmul", bytes_of(a, b, c),
                    2.0 * static_cast<double>(c.elements()) * static_cast<double>(inner));
  if (c.elements() == 0) return;
  if (a.elements() == 0) return fill(ctx, c, 0.0);  // empty sums
  const bool reference = ctx.settings.conv_policy == ConvPolicy::reference;
  if (a.dtype() == DType::f32 && !reference) return onednn_matmul(a, b, options, c);
  for_float(a.dtype(), [&](auto zero) { reference_matmul<decltype(zero)>(a, b, options, c); });
}

}  // namespace engine
