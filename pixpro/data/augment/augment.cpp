#include "pixpro/data/augment/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "pixpro/data/augment/rand_augment.h"
#include "pixpro/data/augment/resize.h"

namespace pixpro {
namespace {

constexpr double kMinRatio = 3.0 / 4.0, kMaxRatio = 4.0 / 3.0;  // width / height of a crop
constexpr int kCropTries = 10;
constexpr double kMinSigma = 0.1, kMaxSigma = 2.0;
constexpr double kSolarizeThreshold = 128;
constexpr int kEvaluationMargin = 32;  // how much longer the resized image's shorter side is

int round_to_int(double value) { return static_cast<int>(std::nearbyint(value)); }

// The largest box in the middle of the image that has an allowed ratio.
Box largest_central_box(Size image) {
  Box box{0, 0, image.width, image.height};
  const double ratio = static_cast<double>(image.width) / image.height;
  if (ratio < kMinRatio) box.height = round_to_int(image.width / kMinRatio);
  if (ratio > kMaxRatio) box.width = round_to_int(image.height * kMaxRatio);
  box.left = (image.width - box.width) / 2;
  box.top = (image.height - box.height) / 2;
  return box;
}

// torchvision's RandomResizedCrop: uniform area, log-uniform ratio, uniform position.
Box sample_crop(engine::Random& random, double min_area, Size image) {
  const double area = static_cast<double>(image.width) * image.height;
  for (int attempt = 0; attempt < kCropTries; ++attempt) {
    const double target = area * random.uniform(min_area, 1.0);
    const double ratio = std::exp(random.uniform(std::log(kMinRatio), std::log(kMaxRatio)));
    Box box;
    box.width = round_to_int(std::sqrt(target * ratio));
    box.height = round_to_int(std::sqrt(target / ratio));
    if (box.width < 1 || box.height < 1 || box.width > image.width || box.height > image.height) {
      continue;
    }
    box.top = static_cast<int>(random.below(image.height - box.height + 1));
    box.left = static_cast<int>(random.below(image.width - box.width + 1));
    return box;
  }
  return largest_central_box(image);
}

void sample_jitter(engine::Random& random, const ColorJitter& jitter, std::vector<Step>& steps) {
  if (!random.chance(jitter.probability)) return;
  std::array<Op, 4> order = {Op::brightness, Op::contrast, Op::saturation, Op::hue};
  for (size_t last = 3; last > 0; --last) {
    const auto other = static_cast<size_t>(random.below(static_cast<int64_t>(last) + 1));
    std::swap(order[last], order[other]);
  }
  const auto factor = [&](double strength) {
    return random.uniform(std::max(0.0, 1.0 - strength), 1.0 + strength);
  };
  std::array<double, 4> amounts;  // by op
  amounts[static_cast<size_t>(Op::brightness)] = factor(jitter.brightness);
  amounts[static_cast<size_t>(Op::contrast)] = factor(jitter.contrast);
  amounts[static_cast<size_t>(Op::saturation)] = factor(jitter.saturation);
  amounts[static_cast<size_t>(Op::hue)] = random.uniform(-jitter.hue, jitter.hue);
  for (const Op op : order) steps.push_back({op, amounts[static_cast<size_t>(op)]});
}

}  // namespace

ViewParameters sample_view(engine::Random& random, const ViewRecipe& recipe, Size image, int size) {
  engine::require(image.width >= 2 && image.height >= 2,
                  "an image needs at least 2 x 2 pixels, found ", image.width, " x ", image.height);
  ViewParameters view;
  if (recipe.evaluation) {
    view.shorter_side = size + kEvaluationMargin;
    view.crop = central_box(size_with_shorter_side(image, view.shorter_side), size);
    return view;
  }
  view.crop = sample_crop(random, recipe.min_area, image);
  view.flip = random.chance(0.5);
  sample_jitter(random, recipe.jitter, view.steps);
  const auto sample_grayscale = [&] {
    if (random.chance(recipe.grayscale_probability)) view.steps.push_back({Op::grayscale});
  };
  if (!recipe.rand_augment) sample_grayscale();
  if (random.chance(recipe.blur_probability)) {
    view.steps.push_back({Op::gaussian_blur, random.uniform(kMinSigma, kMaxSigma)});
  }
  if (recipe.rand_augment) {
    sample_rand_augment(random, size, view.steps);
    sample_grayscale();
  }
  if (random.chance(recipe.solarize_probability)) {
    view.steps.push_back({Op::solarize, kSolarizeThreshold});
  }
  return view;
}

ColorPlanes apply_view(const Image& image, const ViewParameters& view, int size) {
  const auto cropped = [&](const Image& whole) {
    return resized_crop(whole, view.crop, size, size, view.flip);
  };
  ColorPlanes out =
      view.shorter_side > 0 ? cropped(resize_shorter(image, view.shorter_side)) : cropped(image);
  for (const Step& step : view.steps) apply(out, step);
  return out;
}

std::array<float, 4> view_box(const ViewParameters& view, Size image) {
  if (view.shorter_side > 0) image = size_with_shorter_side(image, view.shorter_side);
  const Box& box = view.crop;
  const auto x = [&](int column) {
    return static_cast<float>(column) / static_cast<float>(image.width - 1);
  };
  const auto y = [&](int row) {
    return static_cast<float>(row) / static_cast<float>(image.height - 1);
  };
  float first = x(box.left), last = x(box.left + box.width - 1);
  if (view.flip) std::swap(first, last);
  return {first, y(box.top), last, y(box.top + box.height - 1)};
}

}  // namespace pixpro
