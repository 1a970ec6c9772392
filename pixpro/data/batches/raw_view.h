// A view as a loader's worker leaves it to a CUDA device: its crop, and how the crop becomes the
// view. It is one run of bytes, so that a batch is uploaded as one tensor, u8
// [2N, raw_view_bytes(size)]. A row of it holds
//   RawView, Taps[size] of the columns, Taps[size] of the rows, the crop's pixels
#pragma once

#include <cstdint>
#include <span>

#include "pixpro/data/augment/color_planes.h"
#include "pixpro/data/augment/pixel_math.h"
#include "pixpro/data/augment/steps.h"
#include "pixpro/data/image.h"

namespace pixpro {

inline constexpr int kMaxRawSteps = 9;  // jitter 4, grayscale, blur, RandAugment 2, solarize
inline constexpr int kMaxTaps = 7;      // when an image shrinks to a third

struct RawStep {
  Op op;
  float factor;     // of brightness, contrast and saturation
  int32_t whole;    // of hue: the steps of turn_hue; of solarize: the threshold
  ExtendedBox box;  // of gaussian_blur
};

// The inputs of one position along an axis of the view, see ResizeWeights.
struct alignas(32) Taps {
  int32_t first;
  int32_t weights[kMaxTaps];
};

struct alignas(32) RawView {
  int32_t width, height;          // of the crop
  int32_t column_taps, row_taps;  // how many of kMaxTaps are in use
  int32_t step_count;
  RawStep steps[kMaxRawSteps];
};

constexpr int64_t raw_pixels_offset(int size) {
  return static_cast<int64_t>(sizeof(RawView)) + 2 * size * static_cast<int64_t>(sizeof(Taps));
}

// A crop may have four times as many pixels as the view; it then takes as many bytes as the view
// does in f32.
constexpr int64_t raw_view_bytes(int size) {
  const int64_t used = raw_pixels_offset(size) + int64_t{12} * size * size;
  return (used + 31) / 32 * 32;
}

// Whether a crop can be uploaded as it is. The worker resizes larger ones.
constexpr bool fits_raw_view(Size crop, int size) {
  return crop.width <= 3 * size && crop.height <= 3 * size &&
         int64_t{crop.width} * crop.height <= int64_t{4} * size * size;
}

// Whether the device has a kernel for the op.
bool has_kernel(Op op);

// Writes everything but the pixels into the row, which must be aligned to 32 bytes. Throws Error if
// the crop does not fit, or if a step has no kernel or is out of range.
void write_raw_view(uint8_t* row, int size, Size crop, bool flip, std::span<const Step> steps);

// Where the crop's pixels belong, interleaved as in Image.
inline uint8_t* raw_pixels(uint8_t* row, int size) { return row + raw_pixels_offset(size); }

}  // namespace pixpro
