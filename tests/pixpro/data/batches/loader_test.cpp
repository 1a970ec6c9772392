// Batches come in order and with the right content, whatever happens to workers and images.
#include "pixpro/data/batches/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "engine/allocator.h"
#include "engine/error.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/sources/folder.h"
#include "tests/pixpro/data/batches/fake_source.h"
#include "tests/pixpro/data/scratch_folder.h"

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
  std::vector<std::filesystem::path> files() const {
    const ImageList images = list_images(scratch_.path());
    std::vector<std::filesystem::path> files;
    for (int64_t i = 0; i < images.size(); ++i) files.push_back(scratch_.path() / images.path(i));
    return files;
  }
  std::shared_ptr<const Source> source() {
    if (source_ == nullptr) source_ = open_folder(scratch_.path());
    return source_;
  }

  static LoaderOptions options(int64_t batch_size) {
    LoaderOptions options;
    options.plan.batch_size = batch_size;
    options.image_size = 16;
    options.seed = 3;
    options.workers = 2;
    return options;
  }

  ScratchFolder scratch_;
  std::shared_ptr<const Source> source_;
};

// What the loader must hand out for an image: pixels and box, made without a loader.
std::pair<Values, Values> expected_view(const std::filesystem::path& path,
                                        const LoaderOptions& options, int64_t epoch, int64_t sample,
                                        int view) {
  const Image image = read_image(path);
  engine::Random random = view_stream(options.seed, epoch, sample, view);
  const Size size{image.width, image.height};
  const ViewParameters drawn =
      sample_view(random, options.recipe[static_cast<size_t>(view)], size, options.image_size);
  Values pixels(static_cast<size_t>(3 * options.image_size * options.image_size));
  normalize(apply_view(image, drawn, options.image_size), pixels.data());
  const auto corners = view_box(drawn, size);
  return {pixels, Values(corners.begin(), corners.end())};
}

void expect_samples(const Batch& batch, const std::vector<std::filesystem::path>& files,
                    const LoaderOptions& options, const std::vector<int64_t>& samples) {
  for (int v = 0; v < 2; ++v) {
    for (size_t k = 0; k < samples.size(); ++k) {
      const auto [pixels, corners] = expected_view(files[static_cast<size_t>(samples[k])], options,
                                                   batch.epoch, samples[k], v);
      EXPECT_EQ(values_of(batch.view(v).rows(static_cast<int64_t>(k), 1)), pixels);
      EXPECT_EQ(values_of(batch.boxes_of(v).rows(static_cast<int64_t>(k), 1)), corners);
    }
  }
}

TEST_F(LoaderTest, DealsOutEpochsInOrder) {
  write_images(11);
  const LoaderOptions chosen = options(4);
  Loader loader(source(), chosen);
  EXPECT_EQ(loader.steps_per_epoch(), 2);
  for (int64_t number = 0; number < 6; ++number) {
    const Batch batch = loader.next();
    EXPECT_EQ(batch.epoch, number / 2);
    EXPECT_EQ(batch.step, number % 2);
    EXPECT_EQ(batch.views.shape(), engine::Shape({8, 3, 16, 16}));
    EXPECT_EQ(batch.boxes.shape(), engine::Shape({8, 4}));
    const auto order = epoch_order(11, chosen.seed, batch.epoch);
    const auto first = order.begin() + batch.step * 4;
    expect_samples(batch, files(), chosen, {first, first + 4});
  }
  EXPECT_GE(loader.wait_seconds(), 0.0);
  EXPECT_TRUE(loader.take_broken().empty());
}

TEST_F(LoaderTest, NeitherWorkersNorRestartsNorRanksChangeAnything) {
  write_images(9);
  Loader one(source(), options(4));
  LoaderOptions many = options(4);
  many.workers = 7;
  Loader seven(source(), many);
  LoaderOptions resumed = options(4);
  resumed.first_epoch = 1;
  resumed.first_step = 1;
  Loader late(source(), resumed);
  LoaderOptions second_rank = options(2);
  second_rank.plan.rank = 1;
  second_rank.plan.ranks = 2;
  Loader half(source(), second_rank);
  for (int number = 0; number < 6; ++number) {
    const Batch batch = one.next();
    EXPECT_EQ(values_of(batch.views), values_of(seven.next().views));
    EXPECT_EQ(values_of(batch.view(1).rows(2, 2)), values_of(half.next().view(1)));
    if (number >= 3) {
      EXPECT_EQ(values_of(batch.views), values_of(late.next().views));
    }
  }
}

// An epoch has two batches. When the first one has been taken, the workers continue with the next
// epoch before the second one has been asked for. If they did not, this test would hang.
TEST_F(LoaderTest, TheNextEpochBeginsBeforeThisOneEnds) {
  const auto images = fake_images(8);
  LoaderOptions chosen = options(4);
  chosen.workers = 1;
  Loader loader(images, chosen);
  images->wait_for_reads(8);
  EXPECT_EQ(loader.next().epoch, 0);
  images->wait_for_reads(12);
  EXPECT_EQ(loader.next().epoch, 0);
  EXPECT_EQ(loader.next().epoch, 1);
}

// Batches of one image keep several workers busy, because more batches are begun.
TEST_F(LoaderTest, SmallBatchesGiveWorkToEveryWorker) {
  const auto images = fake_images(8);
  LoaderOptions chosen = options(1);
  chosen.workers = 5;
  const Loader loader(images, chosen);
  images->wait_for_reads(7);
}

TEST_F(LoaderTest, BatchesComeFromTheAllocatorAndGoBackToIt) {
  write_images(4);
  Loader loader(source(), options(4));
  for (int i = 0; i < 4; ++i) loader.next();
  [[maybe_unused]] const int64_t before =
      engine::allocator_of(engine::kCpu).stats().system_allocations;
  for (int i = 0; i < 8; ++i) loader.next();
  [[maybe_unused]] const int64_t after =
      engine::allocator_of(engine::kCpu).stats().system_allocations;
#if !defined(__SANITIZE_ADDRESS__)  // under it the allocator keeps nothing
  EXPECT_EQ(after, before);
#endif
}

TEST_F(LoaderTest, TooFewImagesForAStep) {
  write_images(3);
  LoaderOptions chosen = options(2);
  chosen.plan.ranks = 2;
  try {
    const Loader loader(source(), chosen);
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
    Loader loader(source(), chosen);
    for (int i = 0; i < taken % 3; ++i) loader.next();
  }
}

}  // namespace
}  // namespace pixpro
