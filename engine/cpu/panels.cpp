#include "engine/cpu/panels.h"

#include <algorithm>

#include "engine/parallel.h"

namespace engine {

WeightView forward_view(const Tensor& w) {
  const Shape& s = w.shape();
  const int64_t taps = s[2] * s[3];
  return {w.data<float>(), s[0], s[1], s[1] * taps, taps, taps};
}

WeightView transposed_view(const Tensor& w) {
  const WeightView v = forward_view(w);
  return {v.data, v.inputs, v.outputs, v.input_stride, v.output_stride, v.taps};
}

void pack_block(const WeightView& w, int64_t output, int64_t input,
                const std::vector<int64_t>& taps, float* block, int64_t stride) {
  const float* corner = w.data + output * w.output_stride + input * w.input_stride;
  for (const int64_t tap : taps) {
    for (int64_t c = 0; c < kLanes; ++c, block += stride) {
      const float* from = corner + c * w.input_stride + tap;
      for (int64_t o = 0; o < kLanes; ++o) block[o] = from[o * w.output_stride];
    }
  }
}

void pack_panels(const WeightView& w, const std::vector<int64_t>& taps, float* panels) {
  const int64_t count = static_cast<int64_t>(taps.size());
  const int64_t blocks = w.inputs / kLanes, block_floats = count * kLanes * kPanel;
  const auto pack = [&](int64_t panel, int64_t input_block) {
    float* to = panels + (panel * blocks + input_block) * block_floats;
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < w.outputs) {
        pack_block(w, output, input_block * kLanes, taps, to + lane, kPanel);
        continue;
      }
      for (int64_t row = 0; row < count * kLanes; ++row) lanes(to + row * kPanel + lane) = Lanes{};
    }
  };
  parallel_for(panels_of(w.outputs) * blocks, grain_of(block_floats),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) pack(i / blocks, i % blocks);
               });
}

void unpack_panels(const float* panels, Tensor& dw) {
  const WeightView v = forward_view(dw);
  float* out = dw.data<float>();
  const int64_t blocks = v.inputs / kLanes, block_floats = v.taps * kLanes * kPanel;
  const auto unpack = [&](int64_t panel, int64_t input_block) {
    const float* from = panels + (panel * blocks + input_block) * block_floats;
    const int64_t first = panel * kPanel, count = std::min(kPanel, v.outputs - first);
    for (int64_t o = 0; o < count; ++o) {
      float* to = out + (first + o) * v.output_stride + input_block * kLanes * v.taps;
      for (int64_t c = 0; c < kLanes; ++c) {
        for (int64_t t = 0; t < v.taps; ++t) *to++ = from[(t * kLanes + c) * kPanel + o];
      }
    }
  };
  parallel_for(panels_of(v.outputs) * blocks, grain_of(block_floats),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) unpack(i / blocks, i % blocks);
               });
}

}  // namespace engine
