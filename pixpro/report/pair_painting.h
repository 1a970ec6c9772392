// Paints the picture that explains PixPro at a glance: an image with its two crops, the two views
// with the grids of their features, and lines between the cells that must learn the same feature.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "pixpro/data/augment/augment.h"
#include "pixpro/data/image.h"

namespace pixpro {

struct ViewPair {
  Image original;
  std::array<ViewParameters, 2> parameters;  // how each view was made
  std::array<Image, 2> views;
  int grid_width = 0, grid_height = 0;                 // cells of the feature map
  std::vector<std::pair<int64_t, int64_t>> positives;  // cells of view 1 and 2, row-major indices
};

// Left: the original with both crops. Middle and right: view 1 and view 2; cells without a positive
// partner are pale, the others have a dot in the colour of their place in the original. Lines join
// the positive pairs, or a selection of them if there are too many to be told apart. Throws Error
// if a cell is outside the grid.
Image paint_pairs(const ViewPair& pair);

}  // namespace pixpro
