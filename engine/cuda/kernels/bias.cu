#include "engine/cuda/kernels/bias.h"
#include "engine/cuda/kernels/channel_rows.cuh"

namespace engine {
namespace {

template <int kWidth, class T>
__global__ void add_bias_kernel(ChannelRows rows, const float* bias, T* y) {
  const int64_t c = rows.channel<kWidth>();
  if (c >= rows.channels) return;
  const Pack<float, kWidth> added = pack_at<kWidth>(bias + c);
  const auto load = [&](int64_t i) -> Pack<T, kWidth> { return pack_at<kWidth>(y + i); };
  rows.for_each<2>(c, load, [&](int64_t i, Pack<T, kWidth> values) {
    for (int k = 0; k < kWidth; ++k) {
      values.values[k] = static_cast<T>(static_cast<float>(values.values[k]) + added.values[k]);
    }
    pack_at<kWidth>(y + i) = values;
  });
}

// table: [chunks, C]: each chunk's sums.
template <int kWidth, class T>
__global__ void sum_chunks_kernel(ChannelRows rows, const T* dy, double* table) {
  const int64_t c = rows.channel<kWidth>();
  double sums[kWidth] = {};
  if (c < rows.channels) {
    const auto load = [&](int64_t i) -> Pack<T, kWidth> { return pack_at<kWidth>(dy + i); };
    rows.for_each<4>(c, load, [&](int64_t, const Pack<T, kWidth>& values) {
      for (int k = 0; k < kWidth; ++k) sums[k] += static_cast<float>(values.values[k]);
    });
  }
  for (int k = 0; k < kWidth; ++k) {
    const double sum = sum_over_rows(sums[k]);
    if (threadIdx.y == 0 && c < rows.channels) table[blockIdx.y * rows.channels + c + k] = sum;
  }
}

__global__ void add_chunks_kernel(ChannelRows rows, const double* table, float* db) {
  const int64_t c = rows.channel();
  double sum = 0.0;
  for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += blockDim.y) {
    sum += table[chunk * rows.channels + c];
  }
  sum = sum_over_rows(sum);
  if (threadIdx.y == 0 && c < rows.channels) db[c] = static_cast<float>(sum);
}

}  // namespace

void add_bias(CudaContext& ctx, const Tensor& bias, Tensor& y) {
  const ChannelRows rows(y, 1);
  for_activation(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_width<T>(rows.run(), {bias.data<float>(), y.data<T>()}, [&](auto width) {
      launch(ctx, add_bias_kernel<width, T>, rows.grid(width), rows, bias.data<float>(),
             y.data<T>());
    });
  });
}

void bias_gradient(CudaContext& ctx, const Tensor& dy, Tensor& db) {
  const ChannelRows rows(dy, 1);
  Tensor table({rows.chunks, rows.channels}, DType::f64, ctx.device());
  for_activation(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_width<T, 4>(rows.run(), {dy.data<T>()}, [&](auto width) {
      launch(ctx, sum_chunks_kernel<width, T>, rows.grid(width), rows, dy.data<T>(),
             table.data<double>());
    });
  });
  launch(ctx, add_chunks_kernel, rows.merge_grid(), rows, table.data<double>(), db.data<float>());
}

}  // namespace engine
