// Tests pixpro/train/step_record.cpp: records survive the way through the table of a checkpoint.
#include "pixpro/train/step_record.h"

#include <gtest/gtest.h>

namespace pixpro {
namespace {

// A record in which every number differs from the others.
StepRecord numbered_record(double first) {
  StepRecord record;
  double next = first;
  for_each_number(record, [&](const char*, auto& number) {
    number = static_cast<std::remove_reference_t<decltype(number)>>(next++);
  });
  return record;
}

std::vector<double> numbers_of(const StepRecord& record) {
  std::vector<double> all;
  for_each_number(record,
                  [&](const char*, auto number) { all.push_back(static_cast<double>(number)); });
  return all;
}

TEST(StepRecords, ComeBackFromTheirTable) {
  const std::vector<StepRecord> steps = {numbered_record(1.0), numbered_record(101.0)};
  const Tensor table = table_of(steps);
  EXPECT_EQ(table.shape(), (engine::Shape{2, 14}));
  const std::vector<StepRecord> back = steps_of(table);
  ASSERT_EQ(back.size(), 2U);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(numbers_of(back[i]), numbers_of(steps[i]));
  EXPECT_TRUE(steps_of(table_of({})).empty());
}

TEST(StepRecords, HoldEveryCollapseMeasure) {
  CollapseMeasures sum{.feature_std = 1.0,
                       .positives_per_image = 2.0,
                       .positive_similarity = 3.0,
                       .other_similarity = 4.0};
  add_share(sum, sum, 0.5);
  EXPECT_EQ(sum.feature_std, 1.5);
  EXPECT_EQ(sum.positives_per_image, 3.0);
  EXPECT_EQ(sum.positive_similarity, 4.5);
  EXPECT_EQ(sum.other_similarity, 6.0);
  static_assert(sizeof(CollapseMeasures) == std::size(kCollapseMeasures) * sizeof(double));
}

TEST(StepRecords, RefuseAnotherTable) {
  EXPECT_THROW(steps_of(Tensor({2, 3}, engine::DType::f64)), engine::Error);
  EXPECT_THROW(steps_of(Tensor({2, 14}, engine::DType::f32)), engine::Error);
}

}  // namespace
}  // namespace pixpro
