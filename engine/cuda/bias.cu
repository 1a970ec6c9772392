#include "engine/cuda/bias.h"
#include "engine/cuda/channel_rows.cuh"

namespace engine {
namespace {

template <class T>
__global__ void add_bias_kernel(ChannelRows rows, const float* bias, T* y) {
  const int64_t c = rows.channel();
  if (c >= rows.channels) return;
  const float value = bias[c];
  rows.for_each(c, [&](int64_t i) { y[i] = static_cast<T>(static_cast<float>(y[i]) + value); });
}

// parts: [chunks, C]: each chunk's sums.
template <class T>
__global__ void sum_chunks_kernel(ChannelRows rows, const T* dy, double* parts) {
  const int64_t c = rows.channel();
  double sum = 0.0;
  if (c < rows.channels) rows.for_each(c, [&](int64_t i) { sum += static_cast<float>(dy[i]); });
  sum = sum_over_rows(sum);
  if (threadIdx.y == 0 && c < rows.channels) parts[blockIdx.y * rows.channels + c] = sum;
}

__global__ void add_chunks_kernel(ChannelRows rows, const double* parts, float* db) {
  const int64_t c = rows.channel();
  double sum = 0.0;
  for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += kRowThreads) {
    sum += parts[chunk * rows.channels + c];
  }
  sum = sum_over_rows(sum);
  if (threadIdx.y == 0 && c < rows.channels) db[c] = static_cast<float>(sum);
}

}  // namespace

void add_bias(CudaContext& ctx, const Tensor& bias, Tensor& y) {
  const ChannelRows rows(y, 1);
  for_activation(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, add_bias_kernel<T>, rows.grid(), rows, bias.data<float>(), y.data<T>());
  });
}

void bias_gradient(CudaContext& ctx, const Tensor& dy, Tensor& db) {
  const ChannelRows rows(dy, 1);
  Tensor parts({rows.chunks, rows.channels}, DType::f64, ctx.device());
  for_activation(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, sum_chunks_kernel<T>, rows.grid(), rows, dy.data<T>(), parts.data<double>());
  });
  const Grid merge{.blocks = dim3(rows.channel_blocks()),
                   .threads = dim3(kChannelThreads, kRowThreads)};
  launch(ctx, add_chunks_kernel, merge, rows, parts.data<double>(), db.data<float>());
}

}  // namespace engine
