// The two inner loops of every own convolution: a tile of outputs that lives in registers while
// the reduction runs. Both read activations in blocks of kLanes channels and make kPanel output
// channels at once (fewer in the last panel).
#pragma once

#include "engine/cpu/lanes.h"

namespace engine {

// Registers of a tile: kTileRows x kTileVectors accumulators, one vector of the operand that is
// swept, and kTileRows scalars spread over a vector. AVX2 has 16 registers: 3 x 4 + 1 + 3 fills
// them with 7 loads for 12 multiply-adds. AVX-512 has 32 and spreads a scalar within the
// multiply-add. (6 x 2 and 4 x 3 were as fast in whole convolutions with AVX2.)
inline constexpr int kTileVectors = 4;
inline constexpr int kTileRows = kLanes == 16 ? 6 : 3;
inline constexpr int64_t kPanel = kTileVectors * kLanes;  // output channels of a panel of weights

inline constexpr int64_t panels_of(int64_t channels) { return ceil_div(channels, kPanel); }
// Vectors of a panel: kTileVectors, or fewer in the last one.
inline constexpr int64_t vectors_of(int64_t channels, int64_t panel) {
  const int64_t left = channels / kLanes - panel * kTileVectors;
  return left < kTileVectors ? left : kTileVectors;
}

// A rectangle of memory that will soon be read, to be asked for line by line. Rows of `width`
// floats lie `stride` floats apart.
struct Lines {
  const float* row;
  int64_t width, stride, rows;
  int64_t column = 0;

  void ask() {
    if (rows == 0) return;
    prefetch(row + column);
    column += 16;
    if (column < width) return;
    column = 0, row += stride, --rows;
  }
};

// out[pixel] = sum over channel blocks b, taps t and lanes c of
//   in[in_offset[pixel] + b * in_plane + tap_offset[t] + c] * weights[((b * taps + t) * kLanes +
//   c)]
// where weights[..] are kPanel consecutive floats, and out[pixel] is `vectors` (1 .. kTileVectors)
// vectors at out_offset[pixel], out_plane apart. All offsets count floats; in_offset goes on
// for `ahead` pixels after the last. At least one tap, block and pixel.
struct PixelSum {
  const float* in;
  int64_t in_plane;
  const int64_t* tap_offset;
  int64_t taps, blocks;
  const float* weights;
  float* out;
  int64_t out_plane;
  bool accumulate;  // adds to what out holds
  // Where not 0: each tile asks memory for its outputs, for the inputs of the tile so many pixels
  // further on, as if those were neighbours, and line by line for these weights.
  int64_t ahead = 0;
  Lines* weights_ahead = nullptr;
};
void sum_pixels(const PixelSum& sum, int64_t vectors, const int64_t* in_offset,
                const int64_t* out_offset, int64_t pixels);

// The gradient of such weights:
//   dw[row] = sum over runs r and i < length of
//     x[x_offset[row] + x_run[r] + i * x_step] * dy[dy_run[r] + i * kLanes]
// where dw[row] are kPanel consecutive floats of which `vectors` vectors are written, and dy[..]
// as many vectors, dy_plane apart. At least one run, of at least one pixel.
struct WeightSum {
  const float* x;
  const float* dy;
  int64_t dy_plane;
  const int64_t* x_run;
  const int64_t* dy_run;
  int64_t runs, length, x_step;
  bool accumulate;      // adds to what dw holds
  int64_t x_ahead = 0;  // asks memory for the x so many floats further on
};
void sum_weights(const WeightSum& sum, int64_t vectors, const int64_t* x_offset, float* dw,
                 int64_t rows);

}  // namespace engine
