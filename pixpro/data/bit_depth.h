// How many bits of their 16-bit samples the images of a data set use.
#pragma once

#include <cstdint>
#include <filesystem>

#include "pixpro/data/sources/source.h"

namespace pixpro {

// What a look at some images has found. An image is wide if it has samples of 16 bits whose range
// its format leaves open, see has_wide_samples.
struct BitDepthEstimate {
  int64_t wide_images = 0;
  uint32_t largest_sample = 0;  // in all of them, see largest_wide_sample

  // The smallest of 8, 10, 12, 14 and 16 that holds the largest sample; 16 without wide images.
  int bit_depth() const;
};

// Decodes up to 64 wide images, drawn evenly over the source. Broken images are left out. Files
// whose names end as those of 8-bit formats do are not read. If there is no wide image among the
// first 64 of the others, it looks no further. Depends on the source alone.
BitDepthEstimate estimate_bit_depth(const Source& source);

// The same for a single file.
BitDepthEstimate estimate_bit_depth(const std::filesystem::path& image);

}  // namespace pixpro
