// A broken image is replaced by another one that only the data, seed, epoch and sample decide.
#include "pixpro/data/batches/broken_images.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "pixpro/data/batches/loader.h"
#include "tests/pixpro/data/batches/fake_source.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

using test_support::error_of;
using Values = std::vector<float>;

Values values_of(const engine::Tensor& tensor) {
  const float* data = tensor.data<float>();
  return Values(data, data + tensor.elements());
}

LoaderOptions options(int64_t batch_size, int64_t max_broken) {
  LoaderOptions options;
  options.plan.batch_size = batch_size;
  options.image_size = 16;
  options.workers = 2;
  options.max_broken = max_broken;
  return options;
}

// Sound images but for those that are broken, which are empty.
std::shared_ptr<FakeSource> images_without(int count, const std::set<int>& broken) {
  std::vector<std::vector<uint8_t>> images;
  for (int i = 0; i < count; ++i) {
    images.push_back(broken.contains(i) ? std::vector<uint8_t>()
                                        : encode_png(test_image(20 + i, 25, i)));
  }
  return std::make_shared<FakeSource>(std::move(images));
}

// What a batch must hold if sample k shows image k of `shown`.
void expect_images(const Batch& batch, const std::vector<int64_t>& samples,
                   const std::vector<int64_t>& shown, const Source& source,
                   const LoaderOptions& options) {
  const int size = options.image_size;
  Values views(static_cast<size_t>(6 * size * size)), boxes(8);
  const auto slots =
      PairRows<float>{views.data(), boxes.data(), int64_t{3} * size * size, 1}.slots(0);
  std::vector<uint8_t> buffer;
  for (size_t k = 0; k < samples.size(); ++k) {
    const std::array streams{view_stream(options.seed, batch.epoch, samples[k], 0),
                             view_stream(options.seed, batch.epoch, samples[k], 1)};
    make_views(source.read(shown[k], buffer), options.recipe, size, streams, slots);
    const auto row = static_cast<int64_t>(k);
    Values found = values_of(batch.view(0).rows(row, 1));
    const Values second = values_of(batch.view(1).rows(row, 1));
    found.insert(found.end(), second.begin(), second.end());
    EXPECT_EQ(found, views) << samples[k];
  }
}

TEST(BrokenImages, AreReplacedByTheirSubstitutesWithTheStreamsOfTheSample) {
  const std::set<int> broken{0, 1, 2, 5};
  const auto source = images_without(12, broken);
  const LoaderOptions chosen = options(12, 4);
  Loader loader(source, chosen);
  std::vector<int64_t> reported;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const Batch batch = loader.next();
    const std::vector<int64_t> samples = epoch_order(12, chosen.seed, epoch);
    std::vector<int64_t> shown = samples;
    for (int64_t& image : shown) {
      Substitutes substitutes(12, chosen.seed, epoch, image);
      while (broken.contains(static_cast<int>(image))) image = substitutes.next();
    }
    expect_images(batch, samples, shown, *source, chosen);
    for (const BrokenImage& image : loader.take_broken()) {
      reported.push_back(image.sample);
      EXPECT_EQ(image.reason, image.name + ": the file is empty");
    }
  }
  std::ranges::sort(reported);
  EXPECT_EQ(reported, (std::vector<int64_t>{0, 1, 2, 5}));
  EXPECT_TRUE(
      loader.broken_summary().starts_with("4 of the 12 images are broken: 4 x the file is empty ("))
      << loader.broken_summary();
}

// A loader that begins later has not met the broken images of the epochs before.
TEST(BrokenImages, GiveTheSameBatchesWhateverHasBeenMetBefore) {
  const auto source = images_without(16, {1, 2, 3, 8, 9, 15});
  Loader early(source, options(4, 6));
  LoaderOptions later = options(4, 6);
  later.first_epoch = 2;
  later.workers = 5;
  Loader late(source, later);
  for (int step = 0; step < 8; ++step) early.next();
  for (int step = 0; step < 8; ++step) {
    EXPECT_EQ(values_of(early.next().views), values_of(late.next().views));
  }
}

TEST(BrokenImages, AreAcceptedUpToATenthByDefault) {
  LoaderOptions chosen = options(20, 0);
  chosen.max_broken = std::nullopt;
  Loader two_of_twenty(images_without(20, {3, 4}), chosen);
  EXPECT_EQ(two_of_twenty.next().size(), 20);
  Loader three(images_without(20, {3, 4, 17}), chosen);
  const std::string error = error_of([&] { three.next(); });
  EXPECT_NE(error.find("3 of the 20 images are broken, more than a tenth"), std::string::npos)
      << error;
  EXPECT_NE(error.find("--max-broken"), std::string::npos) << error;
  EXPECT_NE(error.find(": 3 x the file is empty ("), std::string::npos) << error;
  EXPECT_EQ(three.take_broken().size(), 3U);

  chosen.plan.batch_size = 8;
  Loader one_of_eight(images_without(8, {3}), chosen);
  EXPECT_EQ(one_of_eight.next().size(), 8);
  Loader two_of_eight(images_without(8, {3, 5}), chosen);
  EXPECT_THROW(two_of_eight.next(), engine::Error);
}

TEST(BrokenImages, AreAcceptedUpToANumberIfItIsGiven) {
  Loader patient(images_without(8, {3, 5}), options(8, 2));
  EXPECT_EQ(patient.next().size(), 8);
  Loader strict(images_without(8, {3, 5}), options(8, 1));
  const std::string error = error_of([&] { strict.next(); });
  EXPECT_NE(error.find("2 of the 8 images are broken, more than the 1 that --max-broken allows"),
            std::string::npos)
      << error;
}

TEST(BrokenImages, AreCountedByReason) {
  BrokenImages broken(1000, 100);
  EXPECT_EQ(broken.summary(), "");
  broken.note(1, "a", "PNG: 12 bytes cannot hold 7 x 8 pixels", true);
  broken.note(2, "b", "PNG: 345 bytes cannot hold 90 x 8 pixels", true);
  broken.note(3, "c", "the file is empty", false);
  broken.note(3, "c", "the file is empty", true);
  EXPECT_EQ(broken.summary(),
            "3 of the 1000 images are broken: 2 x PNG: N bytes cannot hold N x 8 pixels (a); 1 x "
            "the file is empty (c)");
  EXPECT_EQ(broken.by_reason(),
            (ReasonCounts{{"PNG: N bytes cannot hold N x 8 pixels", 2}, {"the file is empty", 1}}));
  EXPECT_TRUE(broken.is_known(1) && broken.is_known(3) && !broken.is_known(4));
  EXPECT_EQ(broken.take_new().size(), 3U);
  for (int i = 10; i < 100; ++i) {
    broken.note(i, "x", "reason " + std::string(static_cast<size_t>(i), 'a'), true);
  }
  EXPECT_LT(broken.summary().size(), 1000U);
  EXPECT_LT(broken.by_reason().size(), 60U);
  EXPECT_EQ(total(broken.by_reason()), 93);
}

// A letter N in a reason looks like a number that differs.
TEST(BrokenImages, AreCountedByReasonsWithTheLetterN) {
  BrokenImages broken(3, 3);
  broken.note(0, "a", "tag 1234 of 99 is not known", true);
  broken.note(1, "b", "tag N of N is not known", true);
  broken.note(2, "c", "tag 5 of 99 is not known", true);
  EXPECT_EQ(broken.by_reason(), (ReasonCounts{{"tag N of N is not known", 3}}));
}

TEST(BrokenImages, AreAnErrorIfThereIsNoOther) {
  Loader loader(images_without(3, {0, 1, 2}), options(2, 3));
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::string error = error_of([&] { loader.next(); });
    EXPECT_NE(error.find("none of the 3 images can be used: 3 of the 3"), std::string::npos)
        << error;
  }
  EXPECT_EQ(loader.take_broken().size(), 3U);
}

// A worker that has learnt from another that an image is broken may sum up all of them at once.
TEST(BrokenImages, AreInTheSummaryOnceTheyAreKnown) {
  for (int round = 0; round < 2000; ++round) {
    BrokenImages broken(1, 1);
    std::jthread other([&] { broken.note(0, "a.png", "the file is empty", true); });
    while (!broken.is_known(0)) {
    }
    ASSERT_NE(broken.summary(), "") << round;
  }
}

// Each broken image is read once, and passing over all of them takes well under a millisecond.
TEST(BrokenImages, AreCheapHoweverManyThereAre) {
  std::vector<std::vector<uint8_t>> images(60'000);
  images[777] = encode_png(test_image(30, 25, 0));
  const auto source = std::make_shared<FakeSource>(std::move(images));
  LoaderOptions chosen = options(50, 60'000);
  chosen.workers = 1;
  Loader loader(source, chosen);
  const Batch first = loader.next();
  EXPECT_NE(values_of(first.view(0).rows(0, 1)), values_of(first.view(0).rows(1, 1)));
  const auto start = std::chrono::steady_clock::now();
  for (int step = 0; step < 20; ++step) loader.next();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_LT(source->reads, 60'000 + 50 * 30);
}

}  // namespace
}  // namespace pixpro
