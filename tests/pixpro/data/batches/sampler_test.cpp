// Which images make up which batch.
#include "pixpro/data/batches/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pixpro {
namespace {

TEST(Sampler, OrderIsAPermutationOfItsEpoch) {
  const std::vector<int64_t> order = epoch_order(1000, 5, 2);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[static_cast<size_t>(i)], i);
  EXPECT_EQ(order, epoch_order(1000, 5, 2));
  EXPECT_NE(order, epoch_order(1000, 5, 3));
  EXPECT_NE(order, epoch_order(1000, 6, 2));
}

TEST(Sampler, EveryOtherImageIsASubstituteOnce) {
  for (const int64_t count : {2, 3, 12, 97, 360}) {
    for (const int64_t sample : {int64_t{0}, count / 2, count - 1}) {
      Substitutes substitutes(count, 7, 3, sample);
      std::vector<int64_t> found{sample};
      for (int64_t i = 1; i < count; ++i) found.push_back(substitutes.next());
      std::sort(found.begin(), found.end());
      for (int64_t i = 0; i < count; ++i) EXPECT_EQ(found[static_cast<size_t>(i)], i) << count;
    }
  }
}

// A hole of 500 images in a row: their substitutes, and the second ones of these, are spread evenly
// over the rest.
TEST(Sampler, NeighborsHaveDifferentSubstitutes) {
  std::vector<int> uses(1000);
  for (int64_t sample = 0; sample < 500; ++sample) {
    Substitutes substitutes(1000, 7, 3, sample);
    int64_t image = sample;
    while (image < 500) image = substitutes.next();
    ++uses[static_cast<size_t>(image)];
  }
  EXPECT_LE(*std::max_element(uses.begin(), uses.end()), 6);
  EXPECT_GE(std::count_if(uses.begin(), uses.end(), [](int n) { return n > 0; }), 280);
}

TEST(Sampler, RanksTakeContiguousSlicesOfAStep) {
  const BatchPlan plan{.batch_size = 4, .rank = 2, .ranks = 3};
  EXPECT_EQ(plan.steps_per_epoch(47), 3);
  EXPECT_EQ(plan.place(0, 0), 8);
  EXPECT_EQ(plan.place(2, 3), 35);
}

// Whatever the number of ranks, the same images are in a micro-batch, in the order of ranks.
TEST(Sampler, MicroBatchesAreThoseOfOneRank) {
  constexpr int64_t kTotal = 24, kMicroBatches = 2;
  for (const int64_t ranks : {1, 2, 3, 4}) {
    std::vector<int64_t> places;
    for (int64_t micro_batch = 0; micro_batch < kMicroBatches; ++micro_batch) {
      for (int64_t rank = 0; rank < ranks; ++rank) {
        const BatchPlan plan{.batch_size = kTotal / ranks,
                             .rank = rank,
                             .ranks = ranks,
                             .micro_batches = kMicroBatches};
        const int64_t slice = plan.batch_size / kMicroBatches;
        for (int64_t i = 0; i < slice; ++i) {
          places.push_back(plan.place(1, micro_batch * slice + i));
        }
      }
    }
    for (int64_t i = 0; i < kTotal; ++i) {
      EXPECT_EQ(places[static_cast<size_t>(i)], kTotal + i) << ranks << " ranks";
    }
  }
}

}  // namespace
}  // namespace pixpro
