// Views that a CUDA device finishes have the bytes of those that the loader's workers make.
#include "pixpro/data/batches/device_views.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/tensor_ops.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/batches/loader.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/data/codecs/codec.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/cuda.h"

namespace pixpro {
namespace {

using engine::DType;
using engine::Tensor;
using test_support::kCuda;

Image noise_image(int width, int height, uint64_t seed) {
  Image image(width, height);
  engine::Random random(seed);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.below(256));
  return image;
}

// How far images are from the expected ones, in levels of 0..255.
struct Difference {
  int64_t values = 0, different = 0;
  double largest = 0;

  void add(const Tensor& found, const Tensor& expected) {
    ASSERT_EQ(found.shape(), expected.shape());
    const std::vector<double> f = engine::to_values(found), e = engine::to_values(expected);
    const int64_t pixels = found.shape()[2] * found.shape()[3];
    for (int64_t i = 0; i < std::ssize(f); ++i) {
      const auto at = static_cast<size_t>(i), channel = static_cast<size_t>(i / pixels % 3);
      ++values;
      if (f[at] == e[at]) continue;
      ++different;
      const double levels = 255.0 * kImageNetDeviation[channel] * std::abs(f[at] - e[at]);
      largest = std::max(largest, std::isnan(levels) ? HUGE_VAL : levels);
    }
  }
};

// Differences of up to 1 level are allowed. Integers and rounding without fused multiply-add leave
// none.
void expect_equal(const Difference& difference) {
  EXPECT_LE(difference.largest, 1.0);
  EXPECT_EQ(difference.different, 0) << "of " << difference.values << " values";
}

// A crop and what happens to it.
struct Case {
  Image crop;
  bool flip = false;
  std::vector<Step> steps = {};
};

Tensor raw_of(const std::vector<Case>& cases, int size) {
  Tensor raw({std::ssize(cases), raw_view_bytes(size)}, DType::u8);
  uint8_t* row = raw.data<uint8_t>();
  for (const Case& c : cases) {
    write_raw_view(row, size, {c.crop.width, c.crop.height}, c.flip, c.steps);
    std::ranges::copy(c.crop.rgb, raw_pixels(row, size));
    row += raw_view_bytes(size);
  }
  return raw;
}

Tensor expected_of(const std::vector<Case>& cases, int size) {
  Tensor views({std::ssize(cases), 3, size, size});
  float* view = views.data<float>();
  for (const Case& c : cases) {
    ColorPlanes planes =
        resized_crop(c.crop, {0, 0, c.crop.width, c.crop.height}, size, size, c.flip);
    for (const Step& step : c.steps) apply(planes, step);
    normalize(planes, view);
    view += 3 * size * size;
  }
  return views;
}

void expect_as_on_the_cpu(const std::vector<Case>& cases, int size) {
  DeviceViews device_views(kCuda, DType::f32, size);
  Difference difference;
  difference.add(device_views.finish(raw_of(cases, size)), expected_of(cases, size));
  expect_equal(difference);
}

TEST(CudaViews, EveryOperation) {
  SKIP_WITHOUT_CUDA();
  const std::vector<Step> steps = {{Op::brightness, 0.0},      {Op::brightness, 0.613},
                                   {Op::brightness, 1.77},     {Op::contrast, 0.0},
                                   {Op::contrast, 0.41},       {Op::contrast, 1.79},
                                   {Op::saturation, 0.0},      {Op::saturation, 0.27},
                                   {Op::saturation, 1.8},      {Op::hue, -0.5},
                                   {Op::hue, -0.07},           {Op::hue, 0.0},
                                   {Op::hue, 0.4999},          {Op::grayscale},
                                   {Op::gaussian_blur, 0.1},   {Op::gaussian_blur, 0.7},
                                   {Op::gaussian_blur, 1.999}, {Op::gaussian_blur, 30.0},
                                   {Op::solarize, 0},          {Op::solarize, 128},
                                   {Op::solarize, 256}};
  for (const int size : {1, 5, 33}) {
    std::vector<Case> cases;
    for (const Step& step : steps) {
      cases.push_back({.crop = noise_image(size, size, cases.size()), .steps = {step}});
      cases.push_back({.crop = test_image(size, size, 1), .steps = {step}});
    }
    SCOPED_TRACE(size);
    expect_as_on_the_cpu(cases, size);
  }
}

// Contrast depends on all pixels after the steps before it, blur on their neighbours.
TEST(CudaViews, StepsInEveryOrder) {
  SKIP_WITHOUT_CUDA();
  std::vector<Step> steps = {{Op::brightness, 1.3},
                             {Op::contrast, 0.6},
                             {Op::gaussian_blur, 1.2},
                             {Op::hue, 0.1},
                             {Op::solarize, 128}};
  const auto by_op = [](const Step& a, const Step& b) { return a.op < b.op; };
  std::ranges::sort(steps, by_op);
  std::vector<Case> cases;
  do {
    cases.push_back({.crop = noise_image(23, 23, cases.size()), .steps = steps});
  } while (std::next_permutation(steps.begin(), steps.end(), by_op));
  ASSERT_EQ(cases.size(), 120U);
  for (Case& c : cases) c.steps.insert(c.steps.end(), c.steps.begin(), c.steps.begin() + 4);
  expect_as_on_the_cpu(cases, 23);
}

TEST(CudaViews, CropsOfEverySize) {
  SKIP_WITHOUT_CUDA();
  for (const int size : {1, 7, 20}) {
    std::vector<Case> cases;
    for (int width = 1; width <= 3 * size; width += 1 + size / 6) {
      for (int height = 1; height <= 3 * size; height += 1 + size / 5) {
        if (!fits_raw_view({width, height}, size)) continue;
        cases.push_back(
            {.crop = noise_image(width, height, cases.size()), .flip = (width + height) % 2 != 0});
      }
    }
    cases.push_back({.crop = noise_image(3 * size, size, 1)});
    cases.push_back({.crop = noise_image(size, 3 * size, 2), .flip = true});
    SCOPED_TRACE(size);
    expect_as_on_the_cpu(cases, size);
  }
}

// Smooth and noisy images of several sizes. Some of their crops are too large, so that the worker
// resizes them.
TEST(CudaViews, WholeRecipes) {
  SKIP_WITHOUT_CUDA();
  constexpr int kSize = 29, kSamples = 200;
  constexpr int64_t kFloats = 3 * kSize * kSize;
  std::vector<std::vector<uint8_t>> files;
  for (const auto& [width, height] :
       std::vector<std::pair<int, int>>{{40, 31}, {64, 80}, {2, 3}, {57, 57}, {200, 150}}) {
    files.push_back(encode_png(test_image(width, height, 1)));
    files.push_back(encode_png(noise_image(width, height, 7)));
  }
  for (const std::string& name : recipe_names()) {
    SCOPED_TRACE(name);
    const PairRecipe recipe = recipe_named(name, 0.08);
    Tensor expected({2 * kSamples, 3, kSize, kSize}), boxes({2 * kSamples, 4}),
        raw_boxes({2 * kSamples, 4});
    Tensor raw({2 * kSamples, raw_view_bytes(kSize)}, DType::u8);
    for (int64_t sample = 0; sample < kSamples; ++sample) {
      const std::vector<uint8_t>& bytes = files[static_cast<size_t>(sample) % files.size()];
      const std::array streams{view_stream(5, 0, sample, 0), view_stream(5, 0, sample, 1)};
      float* view = expected.data<float>() + 2 * sample * kFloats;
      const PairRows<float> out{view, boxes.data<float>() + 8 * sample, kFloats, 1};
      make_views(bytes, recipe, kSize, streams, out.slots(0));
      uint8_t* row = raw.data<uint8_t>() + 2 * sample * raw_view_bytes(kSize);
      const PairRows<uint8_t> raw_out{row, raw_boxes.data<float>() + 8 * sample,
                                      raw_view_bytes(kSize), 1};
      make_views(bytes, recipe, kSize, streams, raw_out.slots(0));
    }
    Difference difference;
    difference.add(DeviceViews(kCuda, DType::f32, kSize).finish(raw), expected);
    expect_equal(difference);
    EXPECT_EQ(engine::to_values(raw_boxes), engine::to_values(boxes));
  }
}

TEST(CudaViews, HaveTheTypeAndLayoutThatNetworksTake) {
  SKIP_WITHOUT_CUDA();
  constexpr int kSize = 9;
  const std::vector<Case> cases = {{.crop = noise_image(9, 11, 1)},
                                   {.crop = noise_image(20, 8, 2), .steps = {{Op::hue, 0.2}}}};
  const Tensor expected = engine::to_device(expected_of(cases, kSize), kCuda);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const Tensor found = DeviceViews(kCuda, dtype, kSize).finish(raw_of(cases, kSize));
    EXPECT_EQ(found.dtype(), dtype);
    EXPECT_EQ(found.layout(), engine::activation_layout(kCuda, dtype, 3));
    EXPECT_EQ(engine::to_values(found), engine::to_values(engine::to_dtype(expected, dtype)));
    Tensor plain({2, 3, kSize, kSize}, dtype, kCuda);
    engine::on_device(kCuda, [&](auto& ctx) {
      if constexpr (std::is_same_v<decltype(ctx), engine::CudaContext&>) {
        finish_views(ctx, engine::to_device(raw_of(cases, kSize), kCuda), plain);
      }
    });
    EXPECT_EQ(engine::to_values(plain), engine::to_values(found));
  }
}

// Several batches pass through the same device memory while the host continues.
TEST(CudaViews, OfARawLoaderAreThoseOfAFinishedOne) {
  SKIP_WITHOUT_CUDA();
  const ScratchFolder scratch;
  for (int i = 0; i < 7; ++i) {
    write_png(scratch.path() / (std::to_string(i) + ".png"), test_image(30 + i, 35, i));
  }
  const std::shared_ptr<const Source> source = open_folder(scratch.path());
  LoaderOptions options;
  options.plan.batch_size = 3;
  options.image_size = 17;
  options.workers = 2;
  Loader finished(source, options);
  options.raw = true;
  Loader raw(source, options);
  DeviceViews device_views(kCuda, DType::f32, options.image_size);
  std::vector<Batch> on_device, expected;
  for (int step = 0; step < 5; ++step) {
    on_device.push_back(device_views.finish(raw.next_raw()));
    expected.push_back(finished.next());
  }
  for (size_t i = 0; i < 5; ++i) {
    const Batch &found = on_device[i], &wanted = expected[i];
    EXPECT_EQ(found.epoch, wanted.epoch);
    EXPECT_EQ(found.step, wanted.step);
    EXPECT_EQ(engine::to_values(found.boxes), engine::to_values(wanted.boxes));
    EXPECT_EQ(engine::to_values(found.views), engine::to_values(wanted.views)) << i;
  }
}

}  // namespace
}  // namespace pixpro
