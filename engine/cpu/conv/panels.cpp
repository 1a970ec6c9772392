#include "engine/cpu/conv/panels.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/parallel.h"

namespace engine {
namespace {

// Lower: lane i is a[i] if bit `Bit` of i is clear, else b[i - Bit]. Upper: lane i is a[i + Bit] if
// the bit is clear, else b[i].
template <int Bit, bool kUpper, int... Lane>
Lanes exchange(const Lanes& a, const Lanes& b, std::integer_sequence<int, Lane...>) {
  constexpr int kWidth = kLanes, kOther = kUpper ? 0 : -Bit, kOwn = kUpper ? Bit : 0;
  return __builtin_shufflevector(a, b, (Lane & Bit ? kWidth + Lane + kOther : Lane + kOwn)...);
}

template <int Bit>
[[gnu::always_inline]] inline void exchange_bit(Lanes (&rows)[kLanes]) {
  constexpr std::make_integer_sequence<int, kLanes> kAll;
  for (int i = 0; i < kLanes; ++i) {
    if (i & Bit) continue;
    const Lanes low = exchange<Bit, false>(rows[i], rows[i + Bit], kAll);
    rows[i + Bit] = exchange<Bit, true>(rows[i], rows[i + Bit], kAll);
    rows[i] = low;
  }
}

// to[j * to_step + i] = from[i * from_step + j] for i and j < kLanes, in registers. Each step
// exchanges one bit of the row's number with the same bit of the column's.
void transpose(const float* from, int64_t from_step, float* to, int64_t to_step) {
  Lanes rows[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) std::memcpy(&rows[i], from + i * from_step, sizeof(Lanes));
  exchange_bit<1>(rows);
  exchange_bit<2>(rows);
  exchange_bit<4>(rows);
  if constexpr (kLanes == 16) exchange_bit<8>(rows);
  for (int64_t j = 0; j < kLanes; ++j) std::memcpy(to + j * to_step, &rows[j], sizeof(Lanes));
}

// The columns of kLanes rows of count * kLanes floats, one after the other.
std::vector<float> columns_of(const float* rows, int64_t step, int64_t count) {
  std::vector<float> columns(count * kLanes * kLanes);
  for (int64_t i = 0; i < count * kLanes; i += kLanes) {
    transpose(rows + i, step, columns.data() + i * kLanes, kLanes);
  }
  return columns;
}

void copy_lanes(const float* from, float* to) { std::copy_n(from, kLanes, to); }

}  // namespace

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
  if (w.output_stride == 1) {
    for (int64_t c = 0; c < kLanes; ++c) {
      copy_lanes(corner + c * w.input_stride, block + c * stride);
    }
    return;
  }
  const bool by_output = w.input_stride == w.taps;  // each row of the weight is an output's
  if (by_output && w.taps == 1) return transpose(corner, w.output_stride, block, stride);
  const std::vector<float> columns =
      columns_of(corner, by_output ? w.output_stride : w.input_stride, w.taps);
  for (const int64_t tap : taps) {
    const float* column = columns.data() + tap * kLanes;
    const int64_t step = w.taps * kLanes;
    if (by_output) {
      for (int64_t c = 0; c < kLanes; ++c) copy_lanes(column + c * step, block + c * stride);
    } else {
      transpose(column, step, block, stride);
    }
    block += kLanes * stride;
  }
}

void unpack_block(const float* block, int64_t stride, int64_t taps, float* dw, int64_t dw_stride) {
  if (taps == 1) return transpose(block, stride, dw, dw_stride);
  std::vector<float> columns(taps * kLanes * kLanes);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t c = 0; c < kLanes; ++c, block += stride) {
      copy_lanes(block, columns.data() + (c * taps + tap) * kLanes);
    }
  }
  for (int64_t i = 0; i < taps * kLanes; i += kLanes) {
    transpose(columns.data() + i * kLanes, kLanes, dw + i, dw_stride);
  }
}

void pack_panel(const WeightView& w, const std::vector<int64_t>& taps, int64_t panel, int64_t first,
                int64_t count, float* out) {
  const int64_t rows = static_cast<int64_t>(taps.size()) * kLanes;
  for (int64_t i = first; i < first + count; ++i, out += rows * kPanel) {
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < w.outputs) {
        pack_block(w, output, i * kLanes, taps, out + lane, kPanel);
        continue;
      }
      for (int64_t row = 0; row < rows; ++row) lanes(out + row * kPanel + lane) = Lanes{};
    }
  }
}

void pack_panels(const WeightView& w, const std::vector<int64_t>& taps, float* panels) {
  const int64_t blocks = w.inputs / kLanes;
  const int64_t block_floats = static_cast<int64_t>(taps.size()) * kLanes * kPanel;
  parallel_for(panels_of(w.outputs) * blocks, grain_of(block_floats),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   pack_panel(w, taps, i / blocks, i % blocks, 1, panels + i * block_floats);
                 }
               });
}

void unpack_panels(const float* panels, Tensor& dw) {
  const WeightView v = forward_view(dw);
  float* out = dw.data<float>();
  const int64_t blocks = v.inputs / kLanes, block_floats = v.taps * kLanes * kPanel;
  const auto unpack = [&](int64_t panel, int64_t input_block) {
    const float* from = panels + (panel * blocks + input_block) * block_floats;
    const int64_t first = panel * kPanel, count = std::min(kPanel, v.outputs - first);
    for (int64_t lane = 0; lane < count; lane += kLanes) {
      unpack_block(from + lane, kPanel, v.taps,
                   out + (first + lane) * v.output_stride + input_block * kLanes * v.taps,
                   v.output_stride);
    }
  };
  parallel_for(panels_of(v.outputs) * blocks, grain_of(block_floats),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) unpack(i / blocks, i % blocks);
               });
}

}  // namespace engine
