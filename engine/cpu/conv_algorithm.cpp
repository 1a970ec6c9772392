#include "engine/cpu/conv_algorithm.h"

#include <ostream>

#include "engine/cpu/lanes.h"

namespace engine {
namespace {

// Multiplications a channel pair and image, where an m x m tile of outputs costs (m+2)^2.
int64_t multiplications(int64_t height, int64_t width, int64_t m) {
  return ceil_div(height, m) * ceil_div(width, m) * (m + 2) * (m + 2);
}

ConvAlgorithm winograd(int64_t height, int64_t width) {
  return multiplications(height, width, 4) < multiplications(height, width, 2)
             ? ConvAlgorithm::winograd4
             : ConvAlgorithm::winograd2;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, ConvAlgorithm algorithm) {
  constexpr const char* names[] = {"plain", "library", "direct", "winograd2", "winograd4"};
  return out << names[static_cast<int>(algorithm)];
}

const char* kernel_name(ConvDirection direction, ConvAlgorithm algorithm) {
  constexpr const char* names[3][5] = {
      {"conv2d plain", "conv2d library", "conv2d direct", "conv2d winograd2", "conv2d winograd4"},
      {"conv2d backward data plain", "conv2d backward data library", "conv2d backward data direct",
       "conv2d backward data winograd2", "conv2d backward data winograd4"},
      {"conv2d backward weights plain", "conv2d backward weights library",
       "conv2d backward weights direct", "conv2d backward weights winograd2",
       "conv2d backward weights winograd4"}};
  return names[static_cast<int>(direction)][static_cast<int>(algorithm)];
}

ConvAlgorithm choose(ConvPolicy policy, ConvDirection direction, const Shape& x, const Shape& w,
                     const Conv2dOptions& options, bool bias, Layout layout) {
  const bool own = options.groups == 1 && options.dilation == 1 && !bias && x.elements() > 0 &&
                   layout == kLaneLayout && x[1] % kLanes == 0 && w[0] % kLanes == 0;
  if (!own || policy == ConvPolicy::library) return ConvAlgorithm::library;
  if (policy == ConvPolicy::direct) return ConvAlgorithm::direct;
  if (w[2] == 3 && w[3] == 3 && options.stride == 1) {
    const Shape y = conv2d_output_shape(x, w, options);
    const Shape& made = direction == ConvDirection::backward_data ? x : y;
    return winograd(made[2], made[3]);
  }
  return w[2] * w[3] > 1 ? ConvAlgorithm::direct : ConvAlgorithm::library;
}

}  // namespace engine
