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

TEST(Sampler, RanksTakeContiguousSlicesOfAStep) {
  const BatchPlan plan{.batch_size = 4, .rank = 2, .ranks = 3};
  EXPECT_EQ(plan.steps_per_epoch(47), 3);
  EXPECT_EQ(plan.first(0), 8);
  EXPECT_EQ(plan.first(2), 32);
}

}  // namespace
}  // namespace pixpro
