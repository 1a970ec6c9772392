// The picture that explains PixPro at a glance: a photograph with its two crops, the two views with
// the grid of their features, and lines between the cells that must come to the same feature.
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
  std::array<ViewParameters, 2> parameters;  // where each view was cut, and whether it is flipped
  std::array<Image, 2> views;
  int grid_width = 0, grid_height = 0;                 // cells of the feature map
  std::vector<std::pair<int64_t, int64_t>> positives;  // cell of view 1, cell of view 2; row-major
};

// Left: the original with both crop boxes. Middle and right: view 1 and view 2; cells without a
// positive partner are pale, the others carry a dot in the colour of their place in the original.
// Lines join the positive pairs, or a selection of them where they are too many to be told apart.
// Throws Error where a cell index is outside the grid.
Image paint_pairs(const ViewPair& pair);

}  // namespace pixpro
