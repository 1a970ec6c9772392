// Crops and resizes images byte for byte as Pillow does: bilinear with antialiasing. When an image
// shrinks, an output pixel is the mean of the input pixels around it, weighted by a triangle that
// is two output pixels wide.
#pragma once

#include <memory>

#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

// Resizes an image that arrives some rows at a time, so that it is never in memory as a whole.
class RowResizer {
 public:
  // Resizes from `from` to `to`, then mirrors left to right if `flip`.
  RowResizer(Size from, Size to, bool flip);
  ~RowResizer();

  // The next rows: 3 * from.width bytes each, `stride` bytes from one to the next. Multiples of 16
  // rows are fastest.
  void add(const uint8_t* pixels, int64_t stride, int rows);

  // The result, once all rows have been added.
  ColorPlanes take();

 private:
  class Passes;
  std::unique_ptr<Passes> passes_;
};

// The box of the image, resized to width x height and then, if `flip`, mirrored left to right.
// Pixels outside the box have no influence. Throws Error if the box is empty or not inside the
// image, or if the result would have more than 2^28 pixels.
ColorPlanes resized_crop(const Image& image, const Box& box, int width, int height,
                         bool flip = false);

// The size with the same proportions, rounded down, whose shorter side is `shorter`.
Size size_with_shorter_side(Size size, int shorter);
Image resize_shorter(const Image& image, int shorter);

// The box of the size x size pixels in the middle. It sticks out of an image with a shorter side.
Box central_box(Size image, int size);

// The size x size pixels in the middle; black outside the image.
Image center_crop(const Image& image, int size);

void flip_horizontally(ColorPlanes& image);

}  // namespace pixpro
