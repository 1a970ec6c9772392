// The geometry of views, and the order of their steps.
#include "pixpro/data/augment/augment.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/error.h"
#include "pixpro/data/augment/blur.h"
#include "pixpro/data/augment/color.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/augment/tone.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {
namespace {

TEST(Augment, NarrowImagesFallBackToTheMiddle) {
  engine::Random random(1);
  ViewRecipe whole;
  whole.min_area = 1;
  EXPECT_EQ(sample_view(random, whole, {100, 1000}, 224).crop, (Box{0, 433, 100, 133}));
  EXPECT_EQ(sample_view(random, whole, {1000, 100}, 224).crop, (Box{433, 0, 133, 100}));
  EXPECT_THROW(sample_view(random, whole, {1, 100}, 224), engine::Error);
}

TEST(Augment, BoxesAreThoseOfTheCropsCorners) {
  ViewParameters view;
  view.crop = {10, 20, 91, 61};
  const Size size{201, 101};
  EXPECT_EQ(view_box(view, size), (std::array<float, 4>{0.05f, 0.2f, 0.5f, 0.8f}));
  view.flip = true;
  EXPECT_EQ(view_box(view, size), (std::array<float, 4>{0.5f, 0.2f, 0.05f, 0.8f}));
  view.steps = {{Op::rotate, 30}};
  EXPECT_EQ(view_box(view, size), (std::array<float, 4>{0.5f, 0.2f, 0.05f, 0.8f}));
  view = {};
  view.crop = {0, 0, 201, 101};
  EXPECT_EQ(view_box(view, size), (std::array<float, 4>{0, 0, 1, 1}));
}

TEST(Augment, EvaluationTakesTheMiddleOfTheResizedImage) {
  engine::Random random(1);
  const ViewRecipe recipe = recipe_named("val", 0.08)[0];
  const ViewParameters view = sample_view(random, recipe, {401, 201}, 64);
  EXPECT_EQ(view.shorter_side, 96);
  EXPECT_EQ(view.crop, (Box{64, 16, 64, 64}));  // of 191 x 96 pixels: 63.5 is rounded to even 64
  const auto corners = view_box(view, {401, 201});
  EXPECT_FLOAT_EQ(corners[0], 64.0f / 190);
  EXPECT_FLOAT_EQ(corners[3], 79.0f / 95);
  const Image image = test_image(401, 201, 3);
  const Image expected = center_crop(resize_shorter(image, 96), 64);
  EXPECT_EQ(to_image(apply_view(image, view, 64)).rgb, expected.rgb);
}

TEST(Augment, AppliesStepsInTheirOrder) {
  const Image image = test_image(80, 60, 2);
  const ViewParameters view{.shorter_side = 0,
                            .crop = {5, 6, 50, 40},
                            .flip = true,
                            .steps = {{Op::hue, 0.06},
                                      {Op::contrast, 0.7},
                                      {Op::brightness, 1.3},
                                      {Op::saturation, 1.2},
                                      {Op::gaussian_blur, 0.9},
                                      {Op::solarize, 128}}};
  ColorPlanes expected = resized_crop(image, view.crop, 32, 32);
  flip_horizontally(expected);
  adjust_hue(expected, 0.06);
  adjust_contrast(expected, 0.7);
  adjust_brightness(expected, 1.3);
  adjust_saturation(expected, 1.2);
  gaussian_blur(expected, 0.9);
  solarize(expected, 128);
  EXPECT_EQ(apply_view(image, view, 32).bytes, expected.bytes);
}

TEST(Augment, CropsMustBeInsideTheImage) {
  const Image image = test_image(20, 10, 0);
  for (const Box& box : {Box{-1, 0, 5, 5}, Box{0, 0, 21, 5}, Box{16, 0, 5, 5}, Box{0, 0, 0, 5}}) {
    EXPECT_THROW(resized_crop(image, box, 8, 8), engine::Error);
  }
  // Nothing may be read after the last pixel of an image.
  EXPECT_EQ(resized_crop(image, {0, 9, 20, 1}, 40, 3).width, 40);
}

TEST(Augment, AmountsOutOfRangeAreRefused) {
  ColorPlanes planes(4, 4);
  for (const Step& step : {Step{Op::hue, 0.51}, Step{Op::brightness, -0.1}, Step{Op::rotate, 90},
                           Step{Op::gaussian_blur, 0}, Step{Op::posterize, 9}}) {
    EXPECT_THROW(apply(planes, step), engine::Error) << info_of(step.op).name;
  }
}

}  // namespace
}  // namespace pixpro
