// Packed weights are kept if they are used again, and are never stale.
#include "engine/cpu/conv/weight_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/tensor_ops.h"

namespace engine {
namespace {

// The "form" is a copy, so the result must be the weight's present values.
std::vector<double> packed_values(const Tensor& w, int64_t form = 0) {
  return to_values(packed_weight(cpu_context(), w, {form}, w.elements(), [&](Tensor& packed) {
    std::copy_n(w.data<float>(), w.elements(), packed.data<float>());
  }));
}

int64_t packings(const Tensor& w, int64_t form = 0) {
  const int64_t before = cpu_context().counters.packings;
  EXPECT_EQ(packed_values(w, form), to_values(w));
  return cpu_context().counters.packings - before;
}

TEST(WeightCache, KeepsWhatIsUsedTwice) {
  const Tensor w = full({4}, 1.0);
  EXPECT_EQ(packings(w), 1);
  EXPECT_EQ(packings(w), 1);  // only now is it known to be used again
  EXPECT_EQ(packings(w), 0);
  EXPECT_EQ(packings(w, /*form=*/1), 1);
}

TEST(WeightCache, ExpectsAVersionToBeUsedLikeTheOneBefore) {
  Tensor w = full({4}, 1.0);
  for (int use = 0; use < 3; ++use) packings(w);
  w.data<float>()[0] = 2.0f;
  EXPECT_EQ(packings(w), 1);
  EXPECT_EQ(packings(w), 0);
  w.data<float>()[0] = 3.0f;
  EXPECT_EQ(packings(w), 1);
  w.data<float>()[0] = 4.0f;  // the last version was used once: no longer kept
  EXPECT_EQ(packings(w), 1);
  EXPECT_EQ(packings(w), 1);
}

TEST(WeightCache, SeesWritesThroughAnyHandle) {
  Tensor w = full({4, 1}, 1.0);
  for (int use = 0; use < 3; ++use) packings(w);
  Tensor view = w.reshape({2, 2});
  view.data<float>()[3] = 5.0f;
  EXPECT_EQ(packings(w), 1);
  Tensor row = w.rows(2, 1);
  copy_into(full({1, 1}, 7.0), row);
  EXPECT_EQ(packings(w), 1);
}

// A new weight often gets the memory of one just freed.
TEST(WeightCache, IsNotFooledByMemoryThatIsReused) {
  for (int i = 0; i < 20; ++i) {
    const Tensor w = full({1000}, i);
    EXPECT_EQ(packings(w), 1);
    packings(w);
    EXPECT_EQ(packings(w), 0);
  }
}

TEST(WeightCache, DropsTheFormsOfFreedWeights) {
  packings(full({4}, 1.0));  // drops the forms that earlier tests left
  const int64_t before = allocator_of(kCpu).stats().current_bytes;
  for (int i = 0; i < 3; ++i) {
    const Tensor w = full({1 << 16}, 1.0);
    for (int use = 0; use < 3; ++use) packings(w);
  }
  packings(full({4}, 1.0));
  EXPECT_EQ(allocator_of(kCpu).stats().current_bytes, before);
}

}  // namespace
}  // namespace engine
