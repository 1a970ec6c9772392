// A view of an image is first sampled, as plain numbers, and then made. Sampling needs only the
// size of the image, so the same stream of random numbers always gives the same view.
#pragma once

#include <array>
#include <vector>

#include "engine/random.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/augment/steps.h"

namespace pixpro {

// What happens to an image on its way to a view, in this order.
struct ViewParameters {
  int shorter_side = 0;     // the image is first resized to it, unless it is 0
  Box crop;                 // of that image; is resized to the view
  bool flip = false;        // left to right
  std::vector<Step> steps;  // change the pixels, but not the box
  bool operator==(const ViewParameters&) const = default;
};

// A view of size x size pixels. Throws Error if the image is less than 2 pixels wide or high: its
// pixels then have no coordinates.
ViewParameters sample_view(engine::Random& random, const ViewRecipe& recipe, Size image, int size);

// The view's pixels.
ColorPlanes apply_view(const Image& image, const ViewParameters& view, int size);

// Where the centres of the view's first and last pixels are in the image: x0, y0, x1, y1, scaled so
// that the image's own are at 0 and 1. A flipped view has x0 > x1. As in the published code, the
// box follows from crop and flip alone: the shears, shifts and rotations of RandAugment do not
// change it.
std::array<float, 4> view_box(const ViewParameters& view, Size image);

}  // namespace pixpro
