// What a worker leaves to a device, and what it does by itself.
#include "pixpro/data/batches/raw_view.h"

#include <gtest/gtest.h>

#include <memory>

#include "engine/error.h"
#include "engine/tensor.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/batches/views.h"
#include "pixpro/data/codecs/codec.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {
namespace {

constexpr int kSize = 30;

// The raw views of an image, and how they were drawn.
struct RawPair {
  engine::Tensor rows{{2, raw_view_bytes(kSize)}, engine::DType::u8};
  std::array<ViewParameters, 2> drawn;

  RawPair(Size image, Bytes file, const char* recipe_name, int64_t sample) {
    const PairRecipe recipe = recipe_named(recipe_name, 0.08);
    const std::array streams{view_stream(0, 0, sample, 0), view_stream(0, 0, sample, 1)};
    for (size_t v = 0; v < 2; ++v) {
      engine::Random stream = streams[v];
      drawn[v] = sample_view(stream, recipe[v], image, kSize);
    }
    float boxes[8];
    const PairRows<uint8_t> out{row(0), boxes, raw_view_bytes(kSize), 1};
    make_views(file, recipe, kSize, streams, out.slots(0));
  }
  uint8_t* row(size_t v) { return rows.data<uint8_t>() + v * raw_view_bytes(kSize); }
  const RawView& view(size_t v) { return *reinterpret_cast<const RawView*>(row(v)); }
};

TEST(RawView, HoldsTheCropAsItWasDecoded) {
  const Image image = test_image(50, 40, 3);
  const std::vector<uint8_t> file = encode_png(image);
  for (int64_t sample = 0; sample < 20; ++sample) {
    RawPair pair({50, 40}, file, "BYOL", sample);
    for (size_t v = 0; v < 2; ++v) {
      const Box& crop = pair.drawn[v].crop;
      ASSERT_EQ(pair.view(v).width, crop.width);
      ASSERT_EQ(pair.view(v).height, crop.height);
      ASSERT_EQ(pair.view(v).step_count, std::ssize(pair.drawn[v].steps));
      const uint8_t* pixels = raw_pixels(pair.row(v), kSize);
      for (int y = 0; y < crop.height; ++y, pixels += 3 * crop.width) {
        ASSERT_TRUE(
            std::equal(pixels, pixels + 3 * crop.width, image.row(crop.top + y) + 3 * crop.left));
      }
    }
  }
}

// The worker resizes crops that are too large, and applies all steps up to the last one without a
// kernel.
TEST(RawView, LeavesToTheWorkerWhatIsTooLargeOrHasNoKernel) {
  const std::vector<uint8_t> small = encode_png(test_image(50, 40, 3));
  const std::vector<uint8_t> large = encode_png(test_image(200, 150, 3));
  int large_crops = 0, cut_steps = 0;
  for (int64_t sample = 0; sample < 60; ++sample) {
    RawPair of_large({200, 150}, large, "BYOL", sample);
    RawPair random({50, 40}, small, "RandAug", sample);
    for (size_t v = 0; v < 2; ++v) {
      const Box& crop = of_large.drawn[v].crop;
      const bool has_room = fits_raw_view({crop.width, crop.height}, kSize);
      EXPECT_EQ(of_large.view(v).width, has_room ? crop.width : kSize);
      EXPECT_EQ(of_large.view(v).step_count, std::ssize(of_large.drawn[v].steps));
      large_crops += has_room ? 0 : 1;

      const std::vector<Step>& steps = random.drawn[v].steps;
      const auto left = std::find_if(steps.rbegin(), steps.rend(),
                                     [](const Step& step) { return !has_kernel(step.op); });
      EXPECT_EQ(random.view(v).step_count, left - steps.rbegin());
      if (left == steps.rend()) continue;
      ++cut_steps;
      EXPECT_EQ(random.view(v).width, kSize);
      EXPECT_EQ(random.view(v).column_taps, 1);
    }
  }
  EXPECT_GT(large_crops, 10);
  EXPECT_GT(cut_steps, 10);
}

TEST(RawView, RefusesWhatADeviceCannotFinish) {
  engine::Tensor row({raw_view_bytes(kSize)}, engine::DType::u8);
  const auto write = [&](Size crop, const std::vector<Step>& steps) {
    write_raw_view(row.data<uint8_t>(), kSize, crop, false, steps);
  };
  EXPECT_NO_THROW(write({90, 40}, {{Op::hue, 0.5}}));
  EXPECT_THROW(write({91, 10}, {}), engine::Error);
  EXPECT_THROW(write({61, 60}, {}), engine::Error);
  EXPECT_THROW(write({0, 10}, {}), engine::Error);
  EXPECT_THROW(write({10, 10}, {{Op::rotate, 10}}), engine::Error);
  EXPECT_THROW(write({10, 10}, {{Op::hue, 0.6}}), engine::Error);
  EXPECT_THROW(write({10, 10}, std::vector<Step>(10, Step{Op::grayscale})), engine::Error);
  EXPECT_THROW(DeviceViews(engine::kCpu, engine::DType::f32, kSize), engine::Error);
}

}  // namespace
}  // namespace pixpro
