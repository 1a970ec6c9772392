#include "engine/cpu/conv/algorithm.h"

#include <ostream>
#include <string>

#include "engine/cpu/conv/winograd/winograd.h"
#include "engine/cpu/lanes.h"

namespace engine {
namespace {

// Winograd's tile of least work for `images` outputs of height x width pixels. Larger tiles round
// more, so a larger one is taken only if it saves a tenth. Work is the number of multiplications
// per pair of channels, plus kPerKernel for every element of a transformed kernel.
int64_t cheapest_tile(int64_t stride, int64_t images, int64_t height, int64_t width) {
  constexpr int64_t kPerKernel = 16;
  int64_t best = 0, least = 0;
  for (const WinogradTile& t : kWinogradTiles) {
    if (t.stride != stride) continue;
    const int64_t tiles = images * ceil_div(height, t.tile) * ceil_div(width, t.tile);
    const int64_t elements = stride == 1 ? t.tile + 2 : 2 * t.tile + 1, kernels = t.tile + 2;
    const int64_t work = tiles * elements * elements + kPerKernel * kernels * kernels;
    if (best != 0 && 10 * work > 9 * least) continue;
    best = t.tile;
    least = work;
  }
  return best;
}

std::string name_of(const ConvChoice& choice) {
  constexpr const char* names[] = {"reference", "library", "direct", "winograd"};
  const std::string name = names[static_cast<int>(choice.algorithm)];
  return choice.algorithm == ConvAlgorithm::winograd ? name + std::to_string(choice.tile) : name;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ConvChoice& choice) {
  return out << name_of(choice);
}

std::string kernel_name(ConvDirection direction, const ConvChoice& choice) {
  constexpr const char* names[] = {"conv2d ", "conv2d backward data ", "conv2d backward weights "};
  return names[static_cast<int>(direction)] + name_of(choice);
}

ConvChoice choose_conv_algorithm(ConvPolicy policy, ConvDirection direction, const Shape& x,
                                 const Shape& w, const Conv2dOptions& options, bool bias,
                                 Layout layout) {
  const bool fits = options.groups == 1 && options.dilation == 1 && x.elements() > 0 &&
                    layout == kLaneLayout && x[1] % kLanes == 0 && w[0] % kLanes == 0;
  if (!fits || policy == ConvPolicy::library) return {ConvAlgorithm::library};
  if (policy == ConvPolicy::direct) return {ConvAlgorithm::direct};
  const Shape y = conv2d_output_shape(x, w, options);
  const bool strided = options.stride == 2 && options.padding == 1;
  const bool tiles = w[2] == 3 && w[3] == 3 && (options.stride == 1 || strided) &&
                     (!bias || direction == ConvDirection::backward_weights);
  if (tiles) {
    // A tile of the inputs' gradient is `stride` times as wide and as high.
    const bool of_inputs = direction == ConvDirection::backward_data;
    const int64_t height = of_inputs ? ceil_div(x[2], options.stride) : y[2];
    const int64_t width = of_inputs ? ceil_div(x[3], options.stride) : y[3];
    return {ConvAlgorithm::winograd, cheapest_tile(options.stride, x[0], height, width)};
  }
  return {ConvAlgorithm::direct};
}

}  // namespace engine
