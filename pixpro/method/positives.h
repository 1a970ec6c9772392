// Which pixels of two views show the same place. Each view is a box of the original picture cut
// into a grid of bins; two bins are a positive pair when their centres are nearer than pos_ratio
// times the longer of the two bin diagonals (Xie et al., CVPR 2021, section 3.1). Always in float64
// and without fused multiply-add, so that ties at the threshold fall the same way everywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace pixpro {

using engine::Tensor;

struct PixelGrid {
  int64_t height = 0, width = 0;
  int64_t pixels() const { return height * width; }
};

// The bins of one box (x0, y0, x1, y1), in fractions of the picture; x0 > x1 where it is mirrored.
struct Bins {
  Bins(const double* box, PixelGrid grid);
  std::vector<double> x, y;  // centre of every pixel, row by row
  double diagonal;
};

// Is pixel i of q a positive of pixel j of k?
bool is_positive(const Bins& q, int64_t i, const Bins& k, int64_t j, double pos_ratio);

// [M,P,P] u8, 1 for a positive pair, from boxes [M,4] f64 of both views.
Tensor positive_mask(const Tensor& boxes_q, const Tensor& boxes_k, PixelGrid grid,
                     double pos_ratio);

}  // namespace pixpro
