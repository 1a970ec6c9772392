#include "engine/cpu/conv_algorithm.h"

#include <ostream>

#include "engine/cpu/lanes.h"

namespace engine {
namespace {

// oneDNN 2.6.3's weight gradient of a 1x1 kernel loses half of its speed and more with AVX-512 (not
// with AVX2) where there are many inputs or hardly any pixels.
constexpr int64_t kManyInputs = 1024, kFewPixels = 9;

// Multiplications a channel pair and image, where an m x m tile of outputs costs (m+2)^2.
int64_t multiplications(int64_t height, int64_t width, int64_t m) {
  return ceil_div(height, m) * ceil_div(width, m) * (m + 2) * (m + 2);
}

// Between equals the larger tiles: they need fewer weights for a pixel.
ConvAlgorithm winograd(int64_t height, int64_t width) {
  return multiplications(height, width, 4) <= multiplications(height, width, 2)
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
  const bool backward_weights = direction == ConvDirection::backward_weights;
  const bool own = options.groups == 1 && options.dilation == 1 && (!bias || backward_weights) &&
                   x.elements() > 0 && layout == kLaneLayout && x[1] % kLanes == 0 &&
                   w[0] % kLanes == 0;
  if (!own || policy == ConvPolicy::library) return ConvAlgorithm::library;
  if (policy == ConvPolicy::direct) return ConvAlgorithm::direct;
  const Shape y = conv2d_output_shape(x, w, options);
  if (w[2] == 3 && w[3] == 3 && options.stride == 1) {
    const Shape& made = direction == ConvDirection::backward_data ? x : y;
    return winograd(made[2], made[3]);
  }
  const bool hard_for_library =
      kLanes == 16 && backward_weights && (x[1] >= kManyInputs || y[2] * y[3] <= kFewPixels);
  return w[2] * w[3] > 1 || hard_for_library ? ConvAlgorithm::direct : ConvAlgorithm::library;
}

}  // namespace engine
