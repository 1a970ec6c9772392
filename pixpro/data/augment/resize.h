// Geometry of pictures, byte for byte as Pillow's: bilinear with antialiasing (when shrinking, each
// output pixel is a weighted mean of all input pixels under a triangle of the right width).
#pragma once

#include <memory>

#include "pixpro/data/augment/planes.h"

namespace pixpro {

// Resizes a picture of which it sees some rows after the other, so that the whole need not be kept.
class RowResizer {
 public:
  // From `from` to `to`, then mirrored left to right where `flip`.
  RowResizer(Size from, Size to, bool flip);
  ~RowResizer();

  // The next rows, 3 * from.width bytes each, `stride` bytes from one to the next. Best are 16.
  void add(const uint8_t* pixels, int64_t stride, int rows);

  // The result, when all rows are there.
  Planes take();

 private:
  class Passes;
  std::unique_ptr<Passes> passes_;
};

// The box of the picture, resized to width x height and then, where `flip`, mirrored left to right.
// Pixels outside the box have no influence. Throws Error where the box is empty or leaves the
// picture, or the result would have more than 2^28 pixels.
Planes resized_crop(const Image& image, const Box& box, int width, int height, bool flip = false);

// The size of a picture of width x height whose shorter side becomes `shorter` while the longer one
// keeps the proportion, rounded down.
Size size_with_shorter_side(Size size, int shorter);
Image resize_shorter(const Image& image, int shorter);

// Where the size x size pixels in the middle lie. The box leaves a picture that has a shorter side.
Box central_box(Size picture, int size);

// The size x size pixels in the middle; black where they lie outside the picture.
Image center_crop(const Image& image, int size);

void flip_horizontally(Planes& image);

}  // namespace pixpro
