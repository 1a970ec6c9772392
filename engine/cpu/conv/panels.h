// Weights in the order in which the tiles read them: panels
//   [outputs / kPanel][inputs / kLanes][tap][kLanes][kPanel]
// of which the last is filled up with zeros.
#pragma once

#include <vector>

#include "engine/cpu/conv/tile.h"
#include "engine/tensor.h"

namespace engine {

// A weight [O,C,KH,KW] as a map from input to output channels: C to O, or for the gradient of the
// data O to C. Strides count floats; the taps of a pair lie behind each other.
struct WeightView {
  const float* data;
  int64_t outputs, inputs, output_stride, input_stride, taps;
};
WeightView forward_view(const Tensor& w);
WeightView transposed_view(const Tensor& w);

inline int64_t panel_floats(const WeightView& w, int64_t taps) {
  return panels_of(w.outputs) * kPanel * w.inputs * taps;
}

// On the calling thread: block[t][c][o] = the taps (by number) of kLanes inputs and outputs
// from (input, output) on; rows of the block lie `stride` floats apart.
void pack_block(const WeightView& w, int64_t output, int64_t input,
                const std::vector<int64_t>& taps, float* block, int64_t stride);

// The way back of a gradient [O,C,KH,KW] with all its taps: dw is its element of the block's first
// output and input, and rows of outputs lie dw_stride floats apart.
void unpack_block(const float* block, int64_t stride, int64_t taps, float* dw, int64_t dw_stride);

// `count` input blocks from `first` on of one panel, with only the taps named.
void pack_panel(const WeightView& w, const std::vector<int64_t>& taps, int64_t panel, int64_t first,
                int64_t count, float* out);
// All panels.
void pack_panels(const WeightView& w, const std::vector<int64_t>& taps, float* panels);

// All panels of a gradient to [O,C,KH,KW].
void unpack_panels(const float* panels, Tensor& dw);

}  // namespace engine
