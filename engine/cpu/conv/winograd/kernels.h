// The 3x3 kernels of a weight, transformed for Winograd's products, and the reverse for a gradient.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/winograd/line_map.h"
#include "engine/cpu/conv/winograd/tiles.h"
#include "engine/parallel.h"

namespace engine {

// Transformed kernels are stored as panels: element k of panel p and input c is kPanel floats at
// data + (p * kElements + k) * stride() + c * kPanel.
template <class Scheme>
struct Kernels {
  static constexpr int64_t kElements = Scheme::kKernelElements * Scheme::kKernelElements;

  WeightView view;
  bool turned;  // by 180 degrees (the taps in reverse), as backward-data correlates

  int64_t panels() const { return panels_of(view.outputs); }
  int64_t blocks() const { return view.inputs / kLanes; }
  int64_t stride() const { return element_stride(view.inputs * kPanel); }
  int64_t floats() const { return panels() * kElements * stride(); }

  // Transforms the kernels of one panel and input block: element k of its input c goes to
  // out + k * step + c * kPanel.
  void transform_block(int64_t panel, int64_t block, float* out, int64_t step) const {
    std::vector<int64_t> taps = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    if (turned) std::reverse(taps.begin(), taps.end());
    alignas(64) float kernels[9 * kLanes * kLanes];
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < view.outputs) pack_block(view, output, block * kLanes, taps, kernels, kLanes);
      if (output == view.outputs) std::fill(std::begin(kernels), std::end(kernels), 0.0f);
      for (int64_t c = 0; c < kLanes; ++c) {
        const Square<const float> kernel{kernels + c * kLanes, 3 * kLanes * kLanes,
                                         kLanes * kLanes};
        transform<multiply_line<Scheme::kWeight>, 3, Scheme::kKernelElements>(
            kernel, Square<float>{out + c * kPanel + lane, Scheme::kKernelElements * step, step});
      }
    }
  }

  void transform_all(float* out) const {
    parallel_for(panels() * blocks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i / blocks(), block = i % blocks();
        transform_block(panel, block, out + panel * kElements * stride() + block * kLanes * kPanel,
                        stride());
      }
    });
  }
};

// The gradient of kLanes outputs and kLanes inputs from their transformed gradient, whose element k
// of input c is at sums + k * step + c * kPanel. dw is the first of its elements in [O,C,3,3]; its
// rows, one per output, are dw_stride floats apart.
template <class Scheme>
void restore_kernels(const float* sums, int64_t step, float* dw, int64_t dw_stride) {
  alignas(64) float block[9 * kLanes * kLanes];
  for (int64_t c = 0; c < kLanes; ++c) {
    const Square<const float> sum{sums + c * kPanel, Scheme::kKernelElements * step, step};
    transform<multiply_line_transposed<Scheme::kWeight>, Scheme::kKernelElements, 3>(
        sum, Square<float>{block + c * kLanes, 3 * kLanes * kLanes, kLanes * kLanes});
  }
  unpack_block(block, kLanes, 9, dw, dw_stride);
}

}  // namespace engine
