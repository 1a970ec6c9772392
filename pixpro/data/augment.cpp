#include "pixpro/data/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "pixpro/data/blur.h"
#include "pixpro/data/color.h"

namespace pixpro {
namespace {

constexpr double kMinRatio = 3.0 / 4.0, kMaxRatio = 4.0 / 3.0;  // width / height of a crop
constexpr int kCropTries = 10;
constexpr double kMinSigma = 0.1, kMaxSigma = 2.0;
constexpr int kSolarizeThreshold = 128;

int round_to_int(double value) { return static_cast<int>(std::nearbyint(value)); }

// The largest box in the middle whose ratio is allowed.
Box central_box(int width, int height) {
  Box box{0, 0, width, height};
  const double ratio = static_cast<double>(width) / height;
  if (ratio < kMinRatio) box.height = round_to_int(width / kMinRatio);
  if (ratio > kMaxRatio) box.width = round_to_int(height * kMaxRatio);
  box.left = (width - box.width) / 2;
  box.top = (height - box.height) / 2;
  return box;
}

// torchvision's RandomResizedCrop: area uniform, ratio log-uniform, position uniform.
Box draw_crop(engine::Random& random, double min_area, int width, int height) {
  const double area = static_cast<double>(width) * height;
  for (int attempt = 0; attempt < kCropTries; ++attempt) {
    const double target = area * random.uniform(min_area, 1.0);
    const double ratio = std::exp(random.uniform(std::log(kMinRatio), std::log(kMaxRatio)));
    Box box;
    box.width = round_to_int(std::sqrt(target * ratio));
    box.height = round_to_int(std::sqrt(target / ratio));
    if (box.width < 1 || box.height < 1 || box.width > width || box.height > height) continue;
    box.top = static_cast<int>(random.below(height - box.height + 1));
    box.left = static_cast<int>(random.below(width - box.width + 1));
    return box;
  }
  return central_box(width, height);
}

void draw_jitter(engine::Random& random, const ViewRecipe& recipe, ViewParameters& view) {
  view.jitter = true;
  view.jitter_order = {Jitter::brightness, Jitter::contrast, Jitter::saturation, Jitter::hue};
  for (size_t last = 3; last > 0; --last) {
    const auto other = static_cast<size_t>(random.below(static_cast<int64_t>(last) + 1));
    std::swap(view.jitter_order[last], view.jitter_order[other]);
  }
  const auto factor = [&](double strength) {
    return random.uniform(std::max(0.0, 1.0 - strength), 1.0 + strength);
  };
  view.brightness = factor(recipe.brightness);
  view.contrast = factor(recipe.contrast);
  view.saturation = factor(recipe.saturation);
  view.hue = random.uniform(-recipe.hue, recipe.hue);
}

void apply_jitter(Image& image, const ViewParameters& view) {
  for (const Jitter kind : view.jitter_order) {
    switch (kind) {
      case Jitter::brightness:
        adjust_brightness(image, view.brightness);
        break;
      case Jitter::contrast:
        adjust_contrast(image, view.contrast);
        break;
      case Jitter::saturation:
        adjust_saturation(image, view.saturation);
        break;
      case Jitter::hue:
        adjust_hue(image, view.hue);
        break;
    }
  }
}

}  // namespace

std::array<ViewRecipe, 2> byol_recipe(double min_area) {
  ViewRecipe first{.min_area = min_area,
                   .brightness = 0.4,
                   .contrast = 0.4,
                   .saturation = 0.2,
                   .hue = 0.1,
                   .jitter_probability = 0.8,
                   .grayscale_probability = 0.2,
                   .blur_probability = 1.0,
                   .solarize_probability = 0.0};
  ViewRecipe second = first;
  second.blur_probability = 0.1;
  second.solarize_probability = 0.2;
  return {first, second};
}

ViewParameters draw_view(engine::Random& random, const ViewRecipe& recipe, int width, int height) {
  engine::require(width >= 2 && height >= 2, "a picture needs at least 2 x 2 pixels, found ", width,
                  " x ", height);
  ViewParameters view;
  view.crop = draw_crop(random, recipe.min_area, width, height);
  view.flip = random.chance(0.5);
  if (random.chance(recipe.jitter_probability)) draw_jitter(random, recipe, view);
  view.grayscale = random.chance(recipe.grayscale_probability);
  if (random.chance(recipe.blur_probability)) {
    view.blur_sigma = random.uniform(kMinSigma, kMaxSigma);
  }
  view.solarize = random.chance(recipe.solarize_probability);
  return view;
}

Image apply_view(const Image& image, const ViewParameters& view, int size) {
  Image out = resized_crop(image, view.crop, size, size);
  if (view.flip) flip_horizontally(out);
  if (view.jitter) apply_jitter(out, view);
  if (view.grayscale) to_grayscale(out);
  if (view.blur_sigma > 0) gaussian_blur(out, view.blur_sigma);
  if (view.solarize) solarize(out, kSolarizeThreshold);
  return out;
}

std::array<float, 4> view_coordinates(const ViewParameters& view, int width, int height) {
  const Box& box = view.crop;
  const auto x = [&](int column) {
    return static_cast<float>(column) / static_cast<float>(width - 1);
  };
  const auto y = [&](int row) { return static_cast<float>(row) / static_cast<float>(height - 1); };
  float first = x(box.left), last = x(box.left + box.width - 1);
  if (view.flip) std::swap(first, last);
  return {first, y(box.top), last, y(box.top + box.height - 1)};
}

}  // namespace pixpro
