#include "pixpro/data/loader.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "engine/error.h"
#include "pixpro/data/augment.h"
#include "pixpro/data/folder.h"
#include "pixpro/data/normalize.h"
#include "scratch_folder.h"

namespace pixpro {
namespace {

using Values = std::vector<float>;

Values values_of(const engine::Tensor& tensor) {
  const float* data = tensor.data<float>();
  return Values(data, data + tensor.elements());
}

class LoaderTest : public testing::Test {
 protected:
  void write_images(int count) {
    for (int i = 0; i < count; ++i) {
      write_png(scratch_.path() / (std::to_string(100 + i) + ".png"), test_image(40 + i, 50, i));
    }
  }
  std::vector<std::filesystem::path> files() const { return list_images(scratch_.path()); }

  static LoaderOptions options(int64_t batch_size) {
    LoaderOptions options;
    options.plan.batch_size = batch_size;
    options.image_size = 16;
    options.seed = 3;
    options.workers = 2;
    return options;
  }

  ScratchFolder scratch_;
};

// What the loader must hand out for one picture, made without it.
std::pair<Values, Values> expected_view(const std::filesystem::path& path,
                                        const LoaderOptions& options, int64_t epoch, int64_t sample,
                                        int view) {
  const Image image = read_image(path);
  engine::Random random = view_stream(options.seed, epoch, sample, view);
  const Size size{image.width, image.height};
  const ViewParameters drawn =
      draw_view(random, options.recipe[static_cast<size_t>(view)], size, options.image_size);
  Values pixels(static_cast<size_t>(3 * options.image_size * options.image_size));
  normalize(apply_view(image, drawn, options.image_size), pixels.data());
  const auto corners = view_coordinates(drawn, size);
  return {pixels, Values(corners.begin(), corners.end())};
}

void expect_samples(const Batch& batch, const std::vector<std::filesystem::path>& files,
                    const LoaderOptions& options, const std::vector<int64_t>& samples) {
  for (int v = 0; v < 2; ++v) {
    for (size_t k = 0; k < samples.size(); ++k) {
      const auto [pixels, corners] = expected_view(files[static_cast<size_t>(samples[k])], options,
                                                   batch.epoch, samples[k], v);
      EXPECT_EQ(values_of(batch.view(v).rows(static_cast<int64_t>(k), 1)), pixels);
      EXPECT_EQ(values_of(batch.coord(v).rows(static_cast<int64_t>(k), 1)), corners);
    }
  }
}

TEST_F(LoaderTest, DealsOutEpochsInOrder) {
  write_images(11);
  const LoaderOptions chosen = options(4);
  Loader loader(files(), chosen);
  EXPECT_EQ(loader.steps_per_epoch(), 2);
  for (int64_t number = 0; number < 6; ++number) {
    const Batch batch = loader.next();
    EXPECT_EQ(batch.epoch, number / 2);
    EXPECT_EQ(batch.step, number % 2);
    EXPECT_EQ(batch.views.shape(), engine::Shape({8, 3, 16, 16}));
    EXPECT_EQ(batch.coords.shape(), engine::Shape({8, 4}));
    const auto order = epoch_order(11, chosen.seed, batch.epoch);
    const auto first = order.begin() + batch.step * 4;
    expect_samples(batch, files(), chosen, {first, first + 4});
  }
  EXPECT_GE(loader.wait_seconds(), 0.0);
  EXPECT_TRUE(loader.take_broken().empty());
}

TEST_F(LoaderTest, NeitherWorkersNorRestartsNorRanksChangeAnything) {
  write_images(9);
  Loader one(files(), options(4));
  LoaderOptions many = options(4);
  many.workers = 7;
  Loader seven(files(), many);
  LoaderOptions resumed = options(4);
  resumed.first_epoch = 1;
  resumed.first_step = 1;
  Loader late(files(), resumed);
  LoaderOptions second_rank = options(2);
  second_rank.plan.rank = 1;
  second_rank.plan.ranks = 2;
  Loader half(files(), second_rank);
  for (int number = 0; number < 6; ++number) {
    const Batch batch = one.next();
    EXPECT_EQ(values_of(batch.views), values_of(seven.next().views));
    EXPECT_EQ(values_of(batch.view(1).rows(2, 2)), values_of(half.next().view(1)));
    if (number >= 3) {
      EXPECT_EQ(values_of(batch.views), values_of(late.next().views));
    }
  }
}

TEST_F(LoaderTest, BrokenImagesAreReportedOnceAndReplaced) {
  write_images(5);
  scratch_.write("101.png", "broken");
  write_png(scratch_.path() / "102.png", test_image(1, 50, 0));  // too narrow for coordinates
  std::filesystem::create_symlink("nowhere.png", scratch_.path() / "105.png");
  const LoaderOptions chosen = options(6);
  Loader loader(files(), chosen);
  std::vector<std::string> reported;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    const Batch batch = loader.next();
    std::vector<int64_t> samples = epoch_order(6, chosen.seed, epoch);
    for (int64_t& sample : samples) {
      if (sample == 1 || sample == 2) sample = 3;
      if (sample == 5) sample = 0;
    }
    expect_samples(batch, files(), chosen, samples);
    for (const BrokenImage& broken : loader.take_broken()) {
      reported.push_back(broken.path.filename());
      EXPECT_NE(broken.reason.find(broken.path.string()), std::string::npos) << broken.reason;
    }
  }
  std::sort(reported.begin(), reported.end());
  EXPECT_EQ(reported, (std::vector<std::string>{"101.png", "102.png", "105.png"}));
}

TEST_F(LoaderTest, NoReadableImageIsAnError) {
  for (const char* name : {"1.png", "2.jpg", "3.png"}) scratch_.write(name, "broken");
  Loader loader(files(), options(2));
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      loader.next();
      ADD_FAILURE() << "a batch without images";
    } catch (const engine::Error& error) {
      EXPECT_NE(std::string(error.what()).find("none of the 3 images"), std::string::npos);
    }
  }
  EXPECT_EQ(loader.take_broken().size(), 3u);
}

TEST_F(LoaderTest, TooFewImagesForAStep) {
  write_images(3);
  LoaderOptions chosen = options(2);
  chosen.plan.ranks = 2;
  try {
    const Loader loader(files(), chosen);
    ADD_FAILURE() << "accepted";
  } catch (const engine::Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("one step takes 4 images"), std::string::npos) << message;
    EXPECT_NE(message.find("has only 3"), std::string::npos) << message;
  }
}

TEST_F(LoaderTest, EndsMidwayWithoutHanging) {
  write_images(8);
  LoaderOptions chosen = options(8);
  chosen.workers = 5;
  for (int taken = 0; taken < 20; ++taken) {
    Loader loader(files(), chosen);
    for (int i = 0; i < taken % 3; ++i) loader.next();
  }
}

}  // namespace
}  // namespace pixpro
