// Geometry of pictures, byte for byte as Pillow's: bilinear with antialiasing (when shrinking, each
// output pixel is a weighted mean of all input pixels under a triangle of the right width).
#pragma once

#include "pixpro/data/image.h"

namespace pixpro {

struct Box {
  int left = 0, top = 0, width = 0, height = 0;  // pixels
  bool operator==(const Box&) const = default;
};

// The box of the picture, resized to width x height. Pixels outside the box have no influence.
// Throws Error where the box is empty or leaves the picture.
Image resized_crop(const Image& image, const Box& box, int width, int height);

// The shorter side becomes `size`, the longer one keeps the proportion, rounded down.
Image resize_shorter(const Image& image, int size);

// The size x size pixels in the middle. Throws Error where a side is shorter than that.
Image center_crop(const Image& image, int size);

void flip_horizontally(Image& image);

}  // namespace pixpro
