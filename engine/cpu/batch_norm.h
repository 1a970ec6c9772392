// What the forward and the backward kernels of batch norm share on the CPU.
#pragma once

#include <cmath>

#include "engine/cpu/two_passes.h"
#include "engine/kernels/norm.h"

namespace engine {

inline constexpr int kMostLanes = 16;

// Index of a strip's first channel in a table [parts, 2, C] of statistics or sums, in the row of
// its image's part. The second number of a channel is C further on.
inline int64_t place_in(const Tensor& table, const Strip& strip, int64_t images) {
  const int64_t parts = table.shape()[0], channels = table.shape()[2];
  return strip.image / (images / parts) * 2 * channels + strip.channel;
}

inline double value_of(const BatchNormCount& count) {
  return count.tensor.defined() ? *count.tensor.data<double>() : static_cast<double>(count.number);
}

inline double inverse_deviation(double variance, double eps) {
  return 1.0 / std::sqrt(variance + eps);
}

// The constants of a strip, one per lane, in the type of the tensor.
template <class T>
struct LaneConstants {
  T mean[kMostLanes], scale[kMostLanes], bias[kMostLanes];

  LaneConstants() = default;
  LaneConstants(const Strip& strip, int64_t images, const Tensor& statistics, const Tensor& weight,
                const Tensor& bias_of_channels, double eps) {
    const double* row = statistics.data<double>() + place_in(statistics, strip, images);
    const double* variance = row + statistics.shape()[2];
    const T* w = weight.data<T>() + strip.channel;
    const T* b = bias_of_channels.data<T>() + strip.channel;
    for (int64_t lane = 0; lane < strip.lanes; ++lane) {
      mean[lane] = static_cast<T>(row[lane]);
      scale[lane] = static_cast<T>(w[lane] * inverse_deviation(variance[lane], eps));
      bias[lane] = b[lane];
    }
  }

  // The batch norm of one value, before residual and relu.
  T of(T x, int lane) const { return (x - mean[lane]) * scale[lane] + bias[lane]; }
};

}  // namespace engine
