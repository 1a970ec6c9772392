// The inner loops of the engine's own convolutions: a tile of outputs stays in registers while
// products are added to it. Activations are read in channel blocks of kLanes, and the outputs of a
// tile belong to one panel of kPanel output channels.
#pragma once

#include "engine/cpu/lanes.h"

namespace engine {

// A register tile has kRegisterRows x kRegisterVectors accumulators, and needs registers for one
// vector of one operand and for kRegisterRows broadcast scalars of the other. The 16 registers of
// AVX2 hold 3 x 4 + 1 + 3, with 7 loads per 12 multiply-adds. AVX-512 has 32 registers and
// broadcasts as part of the multiply-add. (With AVX2, 6 x 2 and 4 x 3 were as fast in whole
// convolutions.)
inline constexpr int kRegisterVectors = 4;
inline constexpr int kRegisterRows = kLanes == 16 ? 6 : 3;
inline constexpr int64_t kPanel = kRegisterVectors * kLanes;  // output channels of a panel

inline constexpr int64_t panels_of(int64_t channels) { return ceil_div(channels, kPanel); }
// Vectors of a panel: kRegisterVectors, or fewer in the last panel.
inline constexpr int64_t vectors_of(int64_t channels, int64_t panel) {
  const int64_t left = channels / kLanes - panel * kRegisterVectors;
  return left < kRegisterVectors ? left : kRegisterVectors;
}

// Memory that will be read soon, to be prefetched one cache line at a time: `rows` rows of `width`
// floats, `stride` floats apart.
struct LinesAhead {
  const float* row;
  int64_t width, stride, rows;
  int64_t column = 0;

  void prefetch_next() {
    if (rows == 0) return;
    prefetch(row + column);
    column += 16;
    if (column < width) return;
    column = 0, row += stride, --rows;
  }
};

// out[pixel] = sum over channel blocks b, taps t and lanes c of
//   in[in_offset[pixel] + b * in_plane + tap_offset[t] + c] * weights[(b * taps + t) * kLanes + c]
// where weights[i] stands for kPanel consecutive floats, and out[pixel] for `vectors` (1 ..
// kRegisterVectors) vectors at out_offset[pixel], out_plane apart. All offsets count floats.
// Needs at least one block, tap and pixel. in_offset has `ahead` entries more than pixels.
struct PixelSum {
  const float* in;
  int64_t in_plane;
  const int64_t* tap_offset;
  int64_t taps, blocks;
  const float* weights;
  float* out;
  int64_t out_plane;
  bool accumulate;  // adds to what out holds
  // If not 0, each tile prefetches its outputs, the inputs of the tile `ahead` pixels later
  // (assumed to be adjacent in memory), and the next cache lines of `weights_ahead`.
  int64_t ahead = 0;
  LinesAhead* weights_ahead = nullptr;
};
void sum_pixels(const PixelSum& sum, int64_t vectors, const int64_t* in_offset,
                const int64_t* out_offset, int64_t pixels);

// The gradient of such weights:
//   dw[row] = sum over runs r and i < length of
//     x[x_offset[row] + x_run[r] + i * x_step] * dy[dy_run[r] + i * kLanes]
// where dw[row] stands for kPanel consecutive floats, of which `vectors` vectors are written, and
// dy[i] for as many vectors, dy_plane apart. Needs at least one run of at least one pixel.
struct WeightSum {
  const float* x;
  const float* dy;
  int64_t dy_plane;
  const int64_t* x_run;
  const int64_t* dy_run;
  int64_t runs, length, x_step;
  bool accumulate;      // adds to what dw holds
  int64_t x_ahead = 0;  // prefetches x this many floats later
};
void sum_weights(const WeightSum& sum, int64_t vectors, const int64_t* x_offset, float* dw,
                 int64_t rows);

}  // namespace engine
