// A view as a loader's worker leaves it to a CUDA device: its crop, and the numbers that tell how
// the crop becomes the view. One run of bytes, so that a batch of them travels as one tensor, u8
// [2N, raw_view_bytes(size)]; a row holds
//   RawView, Taps[size] of the columns, Taps[size] of the rows, the crop's pixels
#pragma once

#include <cstdint>
#include <span>

#include "pixpro/data/augment/pixel_math.h"
#include "pixpro/data/augment/planes.h"
#include "pixpro/data/augment/steps.h"
#include "pixpro/data/image.h"

namespace pixpro {

inline constexpr int kMaxRawSteps = 9;  // jitter 4, grayscale, blur, RandAugment 2, solarize
inline constexpr int kMaxTaps = 7;      // of a picture that shrinks to a third

struct RawStep {
  Op op;
  float factor;     // of brightness, contrast and saturation
  int32_t whole;    // hue: what turn_hue takes; solarize: the threshold
  ExtendedBox box;  // of gaussian_blur
};

// What one position along an axis of the view is made of, see ResizeWeights.
struct alignas(32) Taps {
  int32_t first;
  int32_t weights[kMaxTaps];
};

struct alignas(32) RawView {
  int32_t width, height;          // of the crop
  int32_t column_taps, row_taps;  // how many of kMaxTaps count
  int32_t step_count;
  RawStep steps[kMaxRawSteps];
};

constexpr int64_t raw_pixels_offset(int size) {
  return static_cast<int64_t>(sizeof(RawView)) + 2 * size * static_cast<int64_t>(sizeof(Taps));
}

// Room for a crop of four times the view's pixels: as many bytes as the view has as floats.
constexpr int64_t raw_view_bytes(int size) {
  const int64_t used = raw_pixels_offset(size) + int64_t{12} * size * size;
  return (used + 31) / 32 * 32;
}

// Can a crop go up as it is? A larger one is resized by the worker.
constexpr bool fits_raw_view(Size crop, int size) {
  return crop.width <= 3 * size && crop.height <= 3 * size &&
         int64_t{crop.width} * crop.height <= int64_t{4} * size * size;
}

// Has the device a kernel for it?
bool has_kernel(Op op);

// Writes everything but the pixels into the row, which is aligned to 32 bytes. The crop fits (see
// above), and every step has a kernel.
void write_raw_view(uint8_t* row, int size, Size crop, bool flip, std::span<const Step> steps);

// Where the crop's pixels belong, interleaved as in an Image.
inline uint8_t* raw_pixels(uint8_t* row, int size) { return row + raw_pixels_offset(size); }

}  // namespace pixpro
