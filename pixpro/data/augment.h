// The two views of a picture: first drawn as plain numbers, then applied. Drawing needs only the
// picture's size, so the same stream of random numbers always asks for the same view.
#pragma once

#include <array>

#include "engine/random.h"
#include "pixpro/data/image.h"
#include "pixpro/data/resize.h"

namespace pixpro {

enum class Jitter : uint8_t { brightness, contrast, saturation, hue };

// How one of the two views is drawn. Strength s of a factor: uniform in [max(0, 1 - s), 1 + s]; of
// the hue: uniform in [-s, s].
struct ViewRecipe {
  double min_area = 0.08;  // smallest part of the picture's area a crop may have; the largest is 1
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  double jitter_probability = 0;
  double grayscale_probability = 0;
  double blur_probability = 0;
  double solarize_probability = 0;
};

// BYOL's recipes of view 1 and view 2 (Grill et al. 2020, with PixPro's smaller jitter).
std::array<ViewRecipe, 2> byol_recipe(double min_area);

// What happens to a picture on its way to a view, in this order.
struct ViewParameters {
  Box crop;
  bool flip = false;
  bool jitter = false;
  std::array<Jitter, 4> jitter_order{};
  double brightness = 1, contrast = 1, saturation = 1, hue = 0;
  bool grayscale = false;
  double blur_sigma = 0;  // 0: no blur
  bool solarize = false;
  bool operator==(const ViewParameters&) const = default;
};

// Throws Error where the picture is less than 2 pixels wide or high: it has no coordinates.
ViewParameters draw_view(engine::Random& random, const ViewRecipe& recipe, int width, int height);

// The view of size x size pixels.
Image apply_view(const Image& image, const ViewParameters& view, int size);

// x0, y0, x1, y1 of the view's first and last pixel centre in the picture, whose own lie at 0
// and 1. A flipped view has x0 > x1.
std::array<float, 4> view_coordinates(const ViewParameters& view, int width, int height);

}  // namespace pixpro
