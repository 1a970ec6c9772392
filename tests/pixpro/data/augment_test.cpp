#include "pixpro/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/error.h"
#include "pixpro/data/blur.h"
#include "pixpro/data/color.h"
#include "pixpro/data/sampler.h"
#include "scratch_folder.h"

namespace pixpro {
namespace {

constexpr int kDraws = 20000;

// A share of n draws lies within 5 deviations of its probability.
void expect_share(int64_t count, int64_t n, double probability) {
  const double total = static_cast<double>(n);
  const double deviation = std::sqrt(probability * (1 - probability) / total);
  EXPECT_NEAR(static_cast<double>(count) / total, probability, 5 * deviation + 1e-12);
}

TEST(Augment, CropsStayInsideAndFollowTheirDistribution) {
  const int width = 400, height = 300;
  int64_t accepted_small = 0, wide = 0, flips = 0;
  for (int i = 0; i < kDraws; ++i) {
    engine::Random random = view_stream(7, 3, i, 0);
    const ViewParameters view = draw_view(random, byol_recipe(0.08)[0], width, height);
    const Box& box = view.crop;
    ASSERT_GE(box.left, 0);
    ASSERT_GE(box.top, 0);
    ASSERT_LE(box.left + box.width, width);
    ASSERT_LE(box.top + box.height, height);
    const double area = static_cast<double>(box.width) * box.height / (width * height);
    const double ratio = static_cast<double>(box.width) / box.height;
    ASSERT_GT(area, 0.07);
    ASSERT_GT(ratio, 0.72);
    ASSERT_LT(ratio, 1.39);
    // Up to 0.5 of this picture's area every ratio fits, so nothing is drawn again.
    accepted_small += area < 0.29;
    wide += area < 0.5 && ratio > 1;
    flips += view.flip;
  }
  expect_share(flips, kDraws, 0.5);
  EXPECT_GT(accepted_small, kDraws * (0.29 - 0.08) / 0.92);  // large areas are rejected more often
  EXPECT_LT(accepted_small, kDraws * 0.33);
  EXPECT_GT(wide, kDraws / 5);
}

TEST(Augment, NarrowPicturesFallBackToTheMiddle) {
  engine::Random random(1);
  ViewRecipe whole;
  whole.min_area = 1;
  const ViewParameters tall = draw_view(random, whole, 100, 1000);
  EXPECT_EQ(tall.crop, (Box{0, 433, 100, 133}));
  const ViewParameters flat = draw_view(random, whole, 1000, 100);
  EXPECT_EQ(flat.crop, (Box{433, 0, 133, 100}));
  EXPECT_THROW(draw_view(random, whole, 1, 100), engine::Error);
}

TEST(Augment, ByolProbabilitiesAndRanges) {
  for (size_t v = 0; v < 2; ++v) {
    int64_t jitters = 0, grays = 0, blurs = 0, solarized = 0;
    std::map<std::array<Jitter, 4>, int64_t> orders;
    for (int i = 0; i < kDraws; ++i) {
      engine::Random random = view_stream(1, 0, i, static_cast<int>(v));
      const ViewParameters view = draw_view(random, byol_recipe(0.08)[v], 400, 400);
      jitters += view.jitter;
      grays += view.grayscale;
      blurs += view.blur_sigma > 0;
      solarized += view.solarize;
      if (view.jitter) ++orders[view.jitter_order];
      EXPECT_TRUE(view.brightness >= 0.6 && view.brightness <= 1.4);
      EXPECT_TRUE(view.contrast >= 0.6 && view.contrast <= 1.4);
      EXPECT_TRUE(view.saturation >= 0.8 && view.saturation <= 1.2);
      EXPECT_TRUE(view.hue >= -0.1 && view.hue <= 0.1);
      EXPECT_TRUE(view.blur_sigma == 0 || (view.blur_sigma >= 0.1 && view.blur_sigma <= 2.0));
    }
    expect_share(jitters, kDraws, 0.8);
    expect_share(grays, kDraws, 0.2);
    expect_share(blurs, kDraws, v == 0 ? 1.0 : 0.1);
    expect_share(solarized, kDraws, v == 0 ? 0.0 : 0.2);
    EXPECT_EQ(orders.size(), 24u);
    for (const auto& [order, count] : orders) expect_share(count, jitters, 1.0 / 24);
  }
}

TEST(Augment, CoordinatesOfTheCropsCorners) {
  ViewParameters view;
  view.crop = {10, 20, 91, 61};
  EXPECT_EQ(view_coordinates(view, 201, 101), (std::array<float, 4>{0.05f, 0.2f, 0.5f, 0.8f}));
  view.flip = true;
  EXPECT_EQ(view_coordinates(view, 201, 101), (std::array<float, 4>{0.5f, 0.2f, 0.05f, 0.8f}));
  view = {.crop = {0, 0, 201, 101}};
  EXPECT_EQ(view_coordinates(view, 201, 101), (std::array<float, 4>{0, 0, 1, 1}));
}

TEST(Augment, AppliesOperationsInTheirOrder) {
  const Image image = test_image(80, 60, 2);
  const ViewParameters view{
      .crop = {5, 6, 50, 40},
      .flip = true,
      .jitter = true,
      .jitter_order = {Jitter::hue, Jitter::contrast, Jitter::brightness, Jitter::saturation},
      .brightness = 1.3,
      .contrast = 0.7,
      .saturation = 1.2,
      .hue = 0.06,
      .blur_sigma = 0.9,
      .solarize = true};
  Image expected = resized_crop(image, view.crop, 32, 32);
  flip_horizontally(expected);
  adjust_hue(expected, 0.06);
  adjust_contrast(expected, 0.7);
  adjust_brightness(expected, 1.3);
  adjust_saturation(expected, 1.2);
  gaussian_blur(expected, 0.9);
  solarize(expected, 128);
  EXPECT_EQ(apply_view(image, view, 32).rgb, expected.rgb);
}

TEST(Augment, CropsMustLieInThePicture) {
  const Image image = test_image(20, 10, 0);
  for (const Box& box : {Box{-1, 0, 5, 5}, Box{0, 0, 21, 5}, Box{16, 0, 5, 5}, Box{0, 0, 0, 5}}) {
    EXPECT_THROW(resized_crop(image, box, 8, 8), engine::Error);
  }
  // The last pixels of a picture have nothing behind them to read.
  EXPECT_EQ(resized_crop(image, {0, 9, 20, 1}, 40, 3).width, 40);
}

TEST(Sampler, OrderIsAPermutationOfItsEpoch) {
  const std::vector<int64_t> order = epoch_order(1000, 5, 2);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[static_cast<size_t>(i)], i);
  EXPECT_EQ(order, epoch_order(1000, 5, 2));
  EXPECT_NE(order, epoch_order(1000, 5, 3));
  EXPECT_NE(order, epoch_order(1000, 6, 2));
}

TEST(Sampler, RanksTakeContiguousSlicesOfAStep) {
  const BatchPlan plan{.batch_size = 4, .rank = 2, .ranks = 3};
  EXPECT_EQ(plan.steps_per_epoch(47), 3);
  EXPECT_EQ(plan.first(0), 8);
  EXPECT_EQ(plan.first(2), 32);
}

}  // namespace
}  // namespace pixpro
