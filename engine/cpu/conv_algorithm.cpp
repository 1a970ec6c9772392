#include "engine/cpu/conv_algorithm.h"

#include <algorithm>
#include <ostream>

#include "engine/cpu/lanes.h"

namespace engine {
namespace {

// Where oneDNN 2.6.3 loses a third of its speed and more on 1x1 kernels: forward over hardly any
// pixels, and with AVX-512 (not with AVX2) in the gradient of the weights over hardly any pixels or
// from many inputs.
bool hard_for_library(ConvDirection direction, int64_t inputs, int64_t pixels) {
  constexpr int64_t kManyInputs = 1024, kFewPixels = 9;
  if (direction == ConvDirection::forward) return pixels <= kFewPixels;
  return direction == ConvDirection::backward_weights && kLanes == 16 &&
         (pixels <= kFewPixels || inputs >= kManyInputs);
}

// Multiplications a channel pair and image, where an m x m tile of outputs costs (m+2)^2.
int64_t multiplications(int64_t height, int64_t width, int64_t m) {
  return ceil_div(height, m) * ceil_div(width, m) * (m + 2) * (m + 2);
}

// The cheapest tiles; between equals the larger ones, which need fewer weights for a pixel.
ConvAlgorithm winograd(int64_t height, int64_t width) {
  const int64_t two = multiplications(height, width, 2), three = multiplications(height, width, 3),
                four = multiplications(height, width, 4);
  if (four <= std::min(two, three)) return ConvAlgorithm::winograd4;
  return three <= two ? ConvAlgorithm::winograd3 : ConvAlgorithm::winograd2;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, ConvAlgorithm algorithm) {
  constexpr const char* names[] = {"plain",     "library",   "direct",
                                   "winograd2", "winograd3", "winograd4"};
  return out << names[static_cast<int>(algorithm)];
}

const char* kernel_name(ConvDirection direction, ConvAlgorithm algorithm) {
  constexpr const char* names[3][6] = {
      {"conv2d plain", "conv2d library", "conv2d direct", "conv2d winograd2", "conv2d winograd3",
       "conv2d winograd4"},
      {"conv2d backward data plain", "conv2d backward data library", "conv2d backward data direct",
       "conv2d backward data winograd2", "conv2d backward data winograd3",
       "conv2d backward data winograd4"},
      {"conv2d backward weights plain", "conv2d backward weights library",
       "conv2d backward weights direct", "conv2d backward weights winograd2",
       "conv2d backward weights winograd3", "conv2d backward weights winograd4"}};
  return names[static_cast<int>(direction)][static_cast<int>(algorithm)];
}

ConvAlgorithm choose(ConvPolicy policy, ConvDirection direction, const Shape& x, const Shape& w,
                     const Conv2dOptions& options, bool bias, Layout layout) {
  const bool fits = options.groups == 1 && options.dilation == 1 && x.elements() > 0 &&
                    layout == kLaneLayout && x[1] % kLanes == 0 && w[0] % kLanes == 0;
  if (!fits || policy == ConvPolicy::library) return ConvAlgorithm::library;
  if (policy == ConvPolicy::direct) return ConvAlgorithm::direct;
  const Shape y = conv2d_output_shape(x, w, options);
  const bool tiles = w[2] == 3 && w[3] == 3 && options.stride == 1 &&
                     (!bias || direction == ConvDirection::backward_weights);
  if (tiles) {
    const Shape& made = direction == ConvDirection::backward_data ? x : y;
    return winograd(made[2], made[3]);
  }
  const bool large = w[2] * w[3] > 1;
  return large || hard_for_library(direction, x[1], y[2] * y[3]) ? ConvAlgorithm::direct
                                                                 : ConvAlgorithm::library;
}

}  // namespace engine
