// An image as three planes, red, green and blue. Views are made in this form, because the compiler
// vectorises plain loops over a plane.
#pragma once

#include <cstdint>
#include <vector>

#include "pixpro/data/image.h"

namespace pixpro {

struct ColorPlanes {
  ColorPlanes() = default;
  ColorPlanes(int width_pixels, int height_pixels)
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

ColorPlanes to_planes(const Image& image);
Image to_image(const ColorPlanes& planes);

}  // namespace pixpro
