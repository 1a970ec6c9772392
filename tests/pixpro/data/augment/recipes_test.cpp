// The distributions of views, and that a view depends on its random stream alone.
#include "pixpro/data/augment/recipes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/error.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/batches/sampler.h"

namespace pixpro {
namespace {

constexpr int kDraws = 20000;
constexpr Size kImage{500, 375};

// Expects a share of n draws within 5 standard deviations of its probability.
void expect_share(int64_t count, int64_t n, double probability) {
  const double total = static_cast<double>(n);
  const double deviation = std::sqrt(probability * (1 - probability) / total);
  EXPECT_NEAR(static_cast<double>(count) / total, probability, 5 * deviation + 1e-12);
}

// Expects values that are uniform over [low, high]: each tenth of the interval gets its share.
void expect_uniform(const std::vector<double>& values, double low, double high) {
  std::array<int64_t, 10> counts{};
  for (const double value : values) {
    ASSERT_GE(value, low);
    ASSERT_LE(value, high);
    const double place = (value - low) / (high - low);
    ++counts[static_cast<size_t>(std::min(place * 10, 9.0))];
  }
  for (const int64_t count : counts) expect_share(count, std::ssize(values), 0.1);
}

std::vector<ViewParameters> sample_many(const ViewRecipe& recipe, Size image, uint64_t seed) {
  std::vector<ViewParameters> views;
  for (int i = 0; i < kDraws; ++i) {
    engine::Random random = view_stream(seed, 3, i, 0);
    views.push_back(sample_view(random, recipe, image, 224));
  }
  return views;
}

TEST(Recipes, CropsFollowAreaAndRatio) {
  // A crop of up to 0.4 of this image's area fits with every ratio, so no draw is repeated.
  ViewRecipe recipe;
  recipe.min_area = 0.02;
  const Size large{40000, 30000};
  std::vector<double> areas, log_ratios, lefts, tops;
  int64_t flips = 0;
  for (const ViewParameters& view : sample_many(recipe, large, 7)) {
    const Box& box = view.crop;
    ASSERT_TRUE(box.left >= 0 && box.top >= 0 && box.left + box.width <= large.width &&
                box.top + box.height <= large.height);
    flips += view.flip;
    const double width = box.width, height = box.height;
    const double area = width * height / (1.0 * large.width * large.height);
    if (area > 0.4) continue;
    areas.push_back(area);
    log_ratios.push_back(std::log(width / height));
    lefts.push_back(box.left / (large.width - width));
    tops.push_back(box.top / (large.height - height));
  }
  expect_share(flips, kDraws, 0.5);
  // Large areas are drawn again if the ratio does not fit, so the share of small ones is at least
  // (0.4 - 0.02) / 0.98.
  EXPECT_GT(areas.size(), kDraws * 0.38);
  expect_uniform(areas, 0.0199, 0.4001);
  expect_uniform(log_ratios, std::log(0.7499), std::log(1.3335));
  expect_uniform(lefts, 0, 1);
  expect_uniform(tops, 0, 1);
}

// Compares with torchvision's rule, which draws until the box fits: how often each tenth of the
// areas comes out when large boxes are rejected.
TEST(Recipes, LargeCropsAreAcceptedAsOftenAsTheyFit) {
  std::array<double, 10> expected{};
  engine::Random random(99);
  int64_t accepted = 0;
  while (accepted < 10 * kDraws) {
    const double area = random.uniform(0.08, 1.0);
    const double ratio = std::exp(random.uniform(std::log(0.75), std::log(4.0 / 3.0)));
    const double target = area * kImage.width * kImage.height;
    if (std::nearbyint(std::sqrt(target * ratio)) > kImage.width) continue;
    if (std::nearbyint(std::sqrt(target / ratio)) > kImage.height) continue;
    expected[static_cast<size_t>((area - 0.08) / 0.092 * 0.99999)] += 1.0 / (10 * kDraws);
    ++accepted;
  }
  std::array<int64_t, 10> counts{};
  ViewRecipe recipe;
  for (const ViewParameters& view : sample_many(recipe, kImage, 8)) {
    const double area = 1.0 * view.crop.width * view.crop.height / (kImage.width * kImage.height);
    ++counts[static_cast<size_t>(std::clamp((area - 0.08) / 0.092, 0.0, 9.0))];
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(counts[i]) / kDraws, expected[i], 0.02) << i;
  }
}

struct Expected {
  const char* name;
  size_t view;
  double jitter, brightness, contrast, saturation, hue, gray, blur, solarize;
};

class PublishedRecipe : public testing::TestWithParam<Expected> {};

TEST_P(PublishedRecipe, HasItsProbabilitiesAndRanges) {
  const Expected& expected = GetParam();
  const ViewRecipe recipe = recipe_named(expected.name, 0.2)[expected.view];
  EXPECT_EQ(recipe.min_area, 0.2);
  std::map<Op, std::vector<double>> amounts;
  std::map<std::vector<Op>, int64_t> orders;
  for (const ViewParameters& view : sample_many(recipe, kImage, 1)) {
    std::vector<Op> order;
    for (const Step& step : view.steps) {
      amounts[step.op].push_back(step.amount);
      if (step.op <= Op::hue) order.push_back(step.op);
    }
    if (!order.empty()) ++orders[order];
    // After the jitter: grayscale, blur, solarize.
    EXPECT_TRUE(std::is_sorted(view.steps.begin() + std::ssize(order), view.steps.end(),
                               [](const Step& a, const Step& b) { return a.op < b.op; }));
  }
  const auto count = [&](Op op) { return std::ssize(amounts[op]); };
  for (const Op op : {Op::brightness, Op::contrast, Op::saturation, Op::hue}) {
    expect_share(count(op), kDraws, expected.jitter);
  }
  expect_share(count(Op::grayscale), kDraws, expected.gray);
  expect_share(count(Op::gaussian_blur), kDraws, expected.blur);
  expect_share(count(Op::solarize), kDraws, expected.solarize);
  if (expected.jitter > 0) {
    EXPECT_EQ(orders.size(), 24u);
    for (const auto& [order, times] : orders) {
      expect_share(times, count(Op::hue), 1.0 / 24);
    }
    expect_uniform(amounts[Op::brightness], 1 - expected.brightness, 1 + expected.brightness);
    expect_uniform(amounts[Op::contrast], 1 - expected.contrast, 1 + expected.contrast);
    expect_uniform(amounts[Op::saturation], 1 - expected.saturation, 1 + expected.saturation);
    expect_uniform(amounts[Op::hue], -expected.hue, expected.hue);
  }
  if (expected.blur > 0) expect_uniform(amounts[Op::gaussian_blur], 0.1, 2.0);
  for (const double threshold : amounts[Op::solarize]) EXPECT_EQ(threshold, 128);
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedRecipe,
    testing::Values(Expected{"BYOL", 0, 0.8, 0.4, 0.4, 0.2, 0.1, 0.2, 1.0, 0.0},
                    Expected{"BYOL", 1, 0.8, 0.4, 0.4, 0.2, 0.1, 0.2, 0.1, 0.2},
                    Expected{"InstDisc", 0, 1.0, 0.4, 0.4, 0.4, 0.4, 0.2, 0.0, 0.0},
                    Expected{"MoCov2", 1, 0.8, 0.4, 0.4, 0.4, 0.1, 0.2, 0.5, 0.0},
                    Expected{"SimCLR", 0, 0.8, 0.8, 0.8, 0.8, 0.2, 0.2, 0.5, 0.0},
                    Expected{"NULL", 1, 0, 0, 0, 0, 0, 0, 0, 0}),
    [](const auto& test) { return test.param.name + std::to_string(test.param.view + 1); });

TEST(Recipes, RandAugmentDrawsTwoOfFifteen) {
  ViewRecipe recipe;
  recipe.rand_augment = true;
  std::map<Op, std::vector<Step>> drawn;
  std::array<int64_t, 3> steps{};
  for (const ViewParameters& view : sample_many(recipe, kImage, 2)) {
    ++steps[std::min<size_t>(view.steps.size(), 2)];
    for (const Step& step : view.steps) drawn[step.op].push_back(step);
  }
  expect_share(steps[0], kDraws, 0.25);
  expect_share(steps[1], kDraws, 0.5);
  EXPECT_EQ(drawn.size(), 15u);
  // Half of the magnitudes are clipped to 10, which gives the largest amount.
  const std::map<Op, double> largest = {{Op::rotate, 30},
                                        {Op::posterize, 4},
                                        {Op::solarize, 256},
                                        {Op::solarize_add, 110},
                                        {Op::saturation, 1.9},
                                        {Op::contrast, 1.9},
                                        {Op::brightness, 1.9},
                                        {Op::sharpness, 1.9},
                                        {Op::shear_x, 0.3},
                                        {Op::shear_y, 0.3},
                                        {Op::translate_x, 0.45 * 224},
                                        {Op::translate_y, 0.45 * 224}};
  for (const auto& [op, found] : drawn) {
    SCOPED_TRACE(info_of(op).name);
    const int64_t n = std::ssize(found);
    expect_share(n, 2 * kDraws, 0.5 / 15);
    if (!largest.contains(op)) continue;
    const double most = largest.at(op);
    const auto share = [&](const auto& holds) {
      return std::count_if(found.begin(), found.end(), holds);
    };
    expect_share(share([&](const Step& s) { return std::abs(s.amount) > most - 1e-9; }), n, 0.5);
    if (!info_of(op).is_warp) continue;
    expect_share(share([](const Step& s) { return s.amount < 0; }), n, 0.5);
    expect_share(share([](const Step& s) { return s.bicubic; }), n, 0.5);
    // Magnitudes at least one deviation below the mean: 0.1587 of a normal distribution.
    expect_share(share([&](const Step& s) { return std::abs(s.amount) < 0.95 * most; }), n,
                 0.15866);
  }
}

TEST(Recipes, RandAugOrdersItsSteps) {
  const PairRecipe recipe = recipe_named("RandAug", 0.08);
  int64_t gray = 0, blurred = 0;
  for (const ViewParameters& view : sample_many(recipe[1], kImage, 4)) {
    for (size_t i = 0; i < view.steps.size(); ++i) {
      if (view.steps[i].op == Op::grayscale) {
        ++gray;
        EXPECT_EQ(i + 1, view.steps.size());
      } else if (view.steps[i].op == Op::gaussian_blur) {
        ++blurred;
        EXPECT_TRUE(i == 0 || i == 4);
      }
    }
  }
  expect_share(gray, kDraws, 0.2);
  expect_share(blurred, kDraws, 0.5);
}

TEST(Recipes, AViewDependsOnSeedEpochSampleAndViewAlone) {
  const ViewRecipe recipe = recipe_named("RandAug", 0.08)[0];
  const auto draw = [&](uint64_t seed, int64_t epoch, int64_t sample, int view) {
    engine::Random random = view_stream(seed, epoch, sample, view);
    return sample_view(random, recipe, kImage, 224);
  };
  EXPECT_EQ(draw(1, 2, 3, 0), draw(1, 2, 3, 0));
  EXPECT_NE(draw(1, 2, 3, 0), draw(2, 2, 3, 0));
  EXPECT_NE(draw(1, 2, 3, 0), draw(1, 3, 3, 0));
  EXPECT_NE(draw(1, 2, 3, 0), draw(1, 2, 4, 0));
  EXPECT_NE(draw(1, 2, 3, 0), draw(1, 2, 3, 1));
}

TEST(Recipes, UnknownNamesAreRefused) {
  EXPECT_THROW(recipe_named("byol", 0.08), engine::Error);
  EXPECT_EQ(recipe_names().size(), 7u);
}

}  // namespace
}  // namespace pixpro
