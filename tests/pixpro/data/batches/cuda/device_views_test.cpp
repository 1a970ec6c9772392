// Views finished on a CUDA device against those of the loader's workers: the same bytes.
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

// How far pictures are from those expected, in levels of 0..255.
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

// Within 1 level is the promise. That no byte differs is what integers and rounding without fused
// products give.
void expect_equal(const Difference& difference) {
  EXPECT_LE(difference.largest, 1.0);
  EXPECT_EQ(difference.different, 0) << "of " << difference.values << " values";
}

// A crop and what is to become of it.
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
    Planes planes = resized_crop(c.crop, {0, 0, c.crop.width, c.crop.height}, size, size, c.flip);
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

// Contrast sees what was before it, blur what neighbours have become, and what follows them both.
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

// Brighter, darker and noisy pictures of several sizes; some of their crops have no room and are
// resized by the worker.
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
      float* coord = boxes.data<float>() + 8 * sample;
      make_views(bytes, recipe, kSize, streams, {{view, view + kFloats}, {coord, coord + 4}});
      uint8_t* row = raw.data<uint8_t>() + 2 * sample * raw_view_bytes(kSize);
      float* raw_box = raw_boxes.data<float>() + 8 * sample;
      make_raw_views(bytes, recipe, kSize, streams,
                     {{row, row + raw_view_bytes(kSize)}, {raw_box, raw_box + 4}});
    }
    Difference difference;
    difference.add(DeviceViews(kCuda, DType::f32, kSize).finish(raw), expected);
    expect_equal(difference);
    EXPECT_EQ(engine::to_values(raw_boxes), engine::to_values(boxes));
  }
}

TEST(CudaViews, OfEveryTypeLieAsNetworksTakeThem) {
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

// Batches travel one after the other through the same memory, while the host goes on.
TEST(CudaViews, OfALoaderAreThoseItWouldHandOut) {
  SKIP_WITHOUT_CUDA();
  const ScratchFolder scratch;
  for (int i = 0; i < 7; ++i) {
    write_png(scratch.path() / (std::to_string(i) + ".png"), test_image(30 + i, 35, i));
  }
  const std::unique_ptr<Source> source = open_folder(scratch.path());
  LoaderOptions options;
  options.plan.batch_size = 3;
  options.image_size = 17;
  options.workers = 2;
  Loader finished(*source, options);
  options.raw = true;
  Loader raw(*source, options);
  DeviceViews device_views(kCuda, DType::f32, options.image_size);
  std::vector<Tensor> on_device;
  std::vector<Batch> expected;
  for (int step = 0; step < 5; ++step) {
    const Batch batch = raw.next();
    on_device.push_back(device_views.finish(batch.views));
    expected.push_back(finished.next());
    EXPECT_EQ(batch.epoch, expected.back().epoch);
    EXPECT_EQ(batch.step, expected.back().step);
    EXPECT_EQ(engine::to_values(batch.boxes), engine::to_values(expected.back().boxes));
  }
  for (size_t step = 0; step < 5; ++step) {
    EXPECT_EQ(engine::to_values(on_device[step]), engine::to_values(expected[step].views)) << step;
  }
}

}  // namespace
}  // namespace pixpro
