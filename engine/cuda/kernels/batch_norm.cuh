// What the kernels of batch normalisation share. All sums are taken in f64.
#pragma once

#include "engine/cuda/kernels/channel_rows.cuh"
#include "engine/kernels/norm.h"

namespace engine {

// Values a summing thread loads at once. For 16-bit types this is half the possible width: two f64
// sums per value would use so many registers that too few threads remain to hide memory latency.
inline constexpr int kSumWidth = 4;

// The constants of one channel in one part of the batch.
struct Normalizer {
  float mean, scale, bias;

  // The batch norm of one value, before residual and relu.
  __device__ float of(float x) const { return (x - mean) * scale + bias; }
};

struct BatchNormParameters {
  const double* statistics;
  const float *weight, *bias;
  double eps;

  // Sets `own` to the normalizers of this thread's channels. Returns their 1 / deviation, which is
  // in shared memory. The threads of a block share the work: one root and one quotient in f64 per
  // thread, not kWidth.
  template <int kWidth>
  __device__ const double* normalizers(const ChannelRows& rows, Normalizer (&own)[kWidth]) const {
    __shared__ Normalizer of_block[kBlockThreads];
    __shared__ double inverse_deviations[kBlockThreads];
    const auto at = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
    const auto count = static_cast<int>(blockDim.x) * kWidth;
    const int64_t c = int64_t{blockIdx.x} * count + at;
    if (at < count && c < rows.channels) {
      const double* of_channel = statistics + rows.entry(c);
      const double inverse = 1.0 / sqrt(of_channel[rows.channels] + eps);
      inverse_deviations[at] = inverse;
      of_block[at] = {static_cast<float>(of_channel[0]), static_cast<float>(weight[c] * inverse),
                      bias[c]};
    }
    __syncthreads();
    const auto first = static_cast<int>(threadIdx.x) * kWidth;
    if (rows.channel<kWidth>() < rows.channels) {
      for (int k = 0; k < kWidth; ++k) own[k] = of_block[first + k];
    }
    return inverse_deviations + first;
  }
};

// A count as kernels take it: a number, or a pointer if only the device knows it.
struct Count {
  double number, inverse_number;  // the inverse of 0 is 0
  const double* pointer;

  explicit Count(const BatchNormCount& count)
      : number(static_cast<double>(count.number)),
        inverse_number(count.number > 0 ? 1.0 / number : 0.0),
        pointer(count.tensor.defined() ? count.tensor.data<double>() : nullptr) {}
  __device__ double value() const { return pointer != nullptr ? *pointer : number; }
  __device__ double inverse() const { return pointer != nullptr ? 1.0 / *pointer : inverse_number; }
};

// Two numbers per channel from each chunk of rows.
inline Tensor chunk_table(const ChannelRows& rows, Device device) {
  return Tensor({rows.parts, rows.chunks, 2, rows.channels}, DType::f64, device);
}

}  // namespace engine
