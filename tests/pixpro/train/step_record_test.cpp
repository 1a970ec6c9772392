// Tests pixpro/train/step_record.cpp: the table of an older checkpoint becomes records.
#include "pixpro/train/step_record.h"

#include <gtest/gtest.h>

namespace pixpro {
namespace {

TEST(StepRecords, ComeBackFromTheTableOfAnOlderCheckpoint) {
  Tensor table({2, 14}, engine::DType::f64);
  for (int64_t i = 0; i < 28; ++i) table.data<double>()[i] = static_cast<double>(i);
  const std::vector<StepRecord> steps = steps_of(table);
  ASSERT_EQ(steps.size(), 2U);
  const StepRecord& second = steps[1];
  EXPECT_EQ(second.epoch, 14);
  EXPECT_EQ(second.result.step, 15);
  EXPECT_EQ(second.result.loss, 16.0);
  EXPECT_EQ(second.result.learning_rate, 17.0);
  EXPECT_EQ(second.result.momentum, 18.0);
  EXPECT_EQ(second.result.collapse.feature_std, 19.0);
  EXPECT_EQ(second.result.collapse.other_similarity, 22.0);
  EXPECT_EQ(second.images_per_second, 23.0);
  EXPECT_EQ(second.broken_images, 25);
  EXPECT_EQ(second.skipped_steps, 26);
  EXPECT_EQ(second.result.loss_scale, 27.0);
  EXPECT_TRUE(steps_of(Tensor({0, 14}, engine::DType::f64)).empty());
}

TEST(StepRecords, HoldEveryCollapseMeasure) {
  static_assert(sizeof(CollapseMeasures) == std::size(kCollapseMeasures) * sizeof(double));
}

TEST(StepRecords, RefuseAnotherTable) {
  EXPECT_THROW(steps_of(Tensor({2, 3}, engine::DType::f64)), engine::Error);
  EXPECT_THROW(steps_of(Tensor({2, 14}, engine::DType::f32)), engine::Error);
}

}  // namespace
}  // namespace pixpro
