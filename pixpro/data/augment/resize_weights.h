// Along one axis, a resized picture's pixels are weighted sums of the original's: Pillow's bilinear
// filter with antialiasing, a triangle of the right width, in fixed point.
#pragma once

#include <cstdint>
#include <vector>

namespace pixpro {

// Bits of a weight behind the point: 32 less 8 of the pixel less 2 for sums over 1. A sum begins
// with half of the last bit that stays, and is cut off at 255, which only rounding passes.
inline constexpr int kResizeBits = 22;
inline constexpr int32_t kResizeHalf = 1 << (kResizeBits - 1);

// For each output position the first of `taps` input positions, and their weights. All positions
// have as many taps as the widest triangle needs, some of weight 0, so that the loops over them
// have one length.
struct ResizeWeights {
  int taps = 0;
  std::vector<int> first;      // [outputs]
  std::vector<int32_t> fixed;  // [outputs, taps]
  const int32_t* at(int output) const { return fixed.data() + static_cast<int64_t>(output) * taps; }
};

// From `inputs` to `outputs` positions, both at least 1; then `mirrored`.
ResizeWeights resize_weights(int inputs, int outputs, bool mirrored);

}  // namespace pixpro
