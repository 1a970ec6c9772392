// Samples of 16 bits on their way to 8.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "engine/error.h"

namespace pixpro {

// Turns the samples of an image into bytes and remembers the largest. The lowest `bit_depth` bits,
// 8 to 16, hold the image: the upper 8 of them are kept, and larger samples become 255.
class WideSamples {
 public:
  explicit WideSamples(int bit_depth = 16) : bit_depth_(bit_depth) {
    engine::require(bit_depth >= 8 && bit_depth <= 16, "bit depth ", bit_depth,
                    ", expected 8 to 16");
  }

  int bit_depth() const { return bit_depth_; }

  uint8_t to_byte(uint32_t sample) const {
    return static_cast<uint8_t>(std::min(sample >> (bit_depth_ - 8), 255u));
  }

  // Remembers a sample of a colour, or the largest that the file says it has. Alpha does not count.
  void note(uint32_t sample) { largest_ = std::max(largest_.value_or(0), sample); }

  // Nothing if the image has no samples of 16 bits, or if its format says which value is white.
  std::optional<uint32_t> largest() const { return largest_; }

 private:
  int bit_depth_;
  std::optional<uint32_t> largest_;
};

}  // namespace pixpro
