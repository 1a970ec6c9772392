// Packed weights: panels in the order in which register tiles read them,
//   [outputs / kPanel][inputs / kLanes][tap][kLanes][kPanel]
// The last panel is filled up with zeros.
#pragma once

#include <vector>

#include "engine/cpu/conv/register_tile.h"
#include "engine/tensor.h"

namespace engine {

// A weight [O,C,KH,KW] as a map from input to output channels: from C to O, or, for the gradient of
// the data, from O to C. Strides count floats; the taps of a pair of channels are contiguous.
struct WeightView {
  const float* data;
  int64_t outputs, inputs, output_stride, input_stride, taps;
};
WeightView forward_view(const Tensor& w);
WeightView transposed_view(const Tensor& w);

inline int64_t panel_floats(const WeightView& w, int64_t taps) {
  return panels_of(w.outputs) * kPanel * w.inputs * taps;
}

// Packs kLanes outputs from `output` on and kLanes inputs from `input` on, on the calling thread:
//   block[(t * kLanes + i) * stride + o] = w[output + o][input + i][taps[t]]
void pack_block(const WeightView& w, int64_t output, int64_t input,
                const std::vector<int64_t>& taps, float* block, int64_t stride);

// The reverse for a gradient [O,C,KH,KW] and all its taps. dw is the gradient's element for the
// block's first output and input; its rows, one per output, are dw_stride floats apart.
void unpack_block(const float* block, int64_t stride, int64_t taps, float* dw, int64_t dw_stride);

// Packs `count` input blocks from `first` on of one panel, with only the given taps.
void pack_panel(const WeightView& w, const std::vector<int64_t>& taps, int64_t panel, int64_t first,
                int64_t count, float* out);
// Packs all panels.
void pack_panels(const WeightView& w, const std::vector<int64_t>& taps, float* panels);

// Writes all panels of a gradient to dw [O,C,KH,KW].
void unpack_panels(const float* panels, Tensor& dw);

}  // namespace engine
