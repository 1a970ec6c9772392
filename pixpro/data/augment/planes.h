// A picture as three planes, red, green and blue: the form in which views are made, because plain
// loops over a plane become vector code.
#pragma once

#include <cstdint>
#include <vector>

#include "pixpro/data/image.h"

namespace pixpro {

struct Planes {
  Planes() = default;
  Planes(int width_pixels, int height_pixels)
      : width(width_pixels),
        height(height_pixels),
        bytes(static_cast<size_t>(3) * static_cast<size_t>(width_pixels) *
              static_cast<size_t>(height_pixels)) {}

  int64_t pixels() const { return static_cast<int64_t>(width) * height; }
  uint8_t* plane(int channel) { return bytes.data() + channel * pixels(); }
  const uint8_t* plane(int channel) const { return bytes.data() + channel * pixels(); }

  int width = 0, height = 0;
  std::vector<uint8_t> bytes;  // [3, height, width]
};

Planes to_planes(const Image& image);
Image to_image(const Planes& planes);

}  // namespace pixpro
