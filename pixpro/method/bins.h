// Which pixels of two views show the same place, for the CPU's loops and CUDA's kernels alike. Each
// view is a box of the original image, cut into a grid of bins, one per pixel. Two bins are a
// positive pair if the distance of their centres is less than pos_ratio times the longer of their
// diagonals (Xie et al., CVPR 2021, section 3.1).
//
// Everything is in float64, and sources that call these functions are compiled without fused
// multiply-add, so that pairs at the threshold are decided the same way everywhere.
#pragma once

#include <cmath>
#include <cstdint>

namespace pixpro {

struct PixelGrid {
  int64_t height = 0, width = 0;
  constexpr int64_t pixels() const { return height * width; }
};

// Centre and diagonal, in fractions of the original image.
struct Bin {
  double x, y, diagonal;
};

constexpr bool is_positive(const Bin& q, const Bin& k, double pos_ratio) {
  const double dx = q.x - k.x, dy = q.y - k.y;
  const double longer = q.diagonal > k.diagonal ? q.diagonal : k.diagonal;
  return std::sqrt(dx * dx + dy * dy) / longer < pos_ratio;
}

// The bins of one box (x0, y0, x1, y1), in fractions of the original image; x0 > x1 if the view is
// mirrored.
class Bins {
 public:
  constexpr Bins(const double* box, PixelGrid grid)
      : x0_(box[0]),
        y0_(box[1]),
        width_((box[2] - box[0]) / static_cast<double>(grid.width)),
        height_((box[3] - box[1]) / static_cast<double>(grid.height)),
        diagonal_(std::sqrt(width_ * width_ + height_ * height_)),
        columns_(grid.width) {}

  // Pixels are counted row by row.
  constexpr Bin operator[](int64_t pixel) const {
    return {x0_ + (static_cast<double>(pixel % columns_) + 0.5) * width_,
            y0_ + (static_cast<double>(pixel / columns_) + 0.5) * height_, diagonal_};
  }

 private:
  double x0_, y0_;         // a corner of the first bin
  double width_, height_;  // of each bin; negative if the view is mirrored
  double diagonal_;
  int64_t columns_;
};

}  // namespace pixpro
