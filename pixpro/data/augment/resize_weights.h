// The weights of Pillow's bilinear filter with antialiasing (see resize.h) along one axis, in fixed
// point.
#pragma once

#include <cstdint>
#include <vector>

namespace pixpro {

// Fractional bits of a weight: of 32 bits, 8 are for the pixel and 2 for sums above 1. A sum starts
// at one half, to be rounded, and is cut off at 255, which it exceeds only by rounding.
inline constexpr int kResizeBits = 22;
inline constexpr int32_t kResizeHalf = 1 << (kResizeBits - 1);

// For each output position, the first of `taps` input positions and their weights. Every position
// has as many taps as the widest triangle, some with weight 0, so that all loops over taps have the
// same length.
struct ResizeWeights {
  int taps = 0;
  std::vector<int> first;      // [outputs]
  std::vector<int32_t> fixed;  // [outputs, taps]
  const int32_t* at(int output) const { return fixed.data() + static_cast<int64_t>(output) * taps; }
};

// Weights from `inputs` to `outputs` positions, both at least 1, in reversed order if `mirrored`.
ResizeWeights resize_weights(int inputs, int outputs, bool mirrored);

}  // namespace pixpro
