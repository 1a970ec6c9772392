// The two views of a picture: first drawn as plain numbers, then applied. Drawing needs only the
// picture's size, so the same stream of random numbers always asks for the same view.
#pragma once

#include <array>
#include <vector>

#include "engine/random.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/augment/steps.h"

namespace pixpro {

// What happens to a picture on its way to a view, in this order.
struct ViewParameters {
  int shorter_side = 0;     // the picture is resized to it first; 0: it stays as it is
  Box crop;                 // of that picture; becomes the view, resized
  bool flip = false;        // left to right
  std::vector<Step> steps;  // what else happens to the pixels; without influence on coordinates
  bool operator==(const ViewParameters&) const = default;
};

// A view of size x size pixels. Throws Error where the picture is less than 2 pixels wide or high:
// it has no coordinates.
ViewParameters sample_view(engine::Random& random, const ViewRecipe& recipe, Size picture,
                           int size);

// The view's pixels.
Planes apply_view(const Image& picture, const ViewParameters& view, int size);

// x0, y0, x1, y1 of the view's first and last pixel centre in the picture, whose own lie at 0
// and 1. A flipped view has x0 > x1. As in the published code, what RandAugment shears, shifts and
// rotates leaves the coordinates alone: they are those of crop and flip.
std::array<float, 4> view_coordinates(const ViewParameters& view, Size picture);

}  // namespace pixpro
