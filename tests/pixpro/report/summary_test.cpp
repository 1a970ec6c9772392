// Tests pixpro/report/summary.cpp.
#include "pixpro/report/summary.h"

#include <gtest/gtest.h>

namespace pixpro {
namespace {

std::vector<StepRecord> falling_losses(int count) {
  std::vector<StepRecord> steps(static_cast<size_t>(count));
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i].result.loss = -static_cast<double>(i);
    steps[i].result.collapse.feature_std = 0.01 * static_cast<double>(i);
  }
  return steps;
}

TEST(Summary, ComparesTheFirstTenthWithTheLast) {
  const RunSummary summary = summarize(falling_losses(25));
  EXPECT_DOUBLE_EQ(summary.first_loss, -0.5);
  EXPECT_DOUBLE_EQ(summary.last_loss, -23.5);
  EXPECT_DOUBLE_EQ(summary.first.feature_std, 0.005);
  EXPECT_DOUBLE_EQ(summary.last.feature_std, 0.235);
}

TEST(Summary, OfAShortRunComparesSingleSteps) {
  const RunSummary summary = summarize(falling_losses(3));
  EXPECT_EQ(summary.first_loss, 0.0);
  EXPECT_EQ(summary.last_loss, -2.0);
  EXPECT_THROW(summarize({}), engine::Error);
}

TEST(Summary, TellsHowACollapseWouldLook) {
  const std::string text = summary_text(summarize(falling_losses(3)), 256);
  EXPECT_NE(text.find("loss                           0.0000     -2.0000\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("feature deviation              0.0000      0.0200   collapsed: 0; spread "
                      "evenly: 0.0625\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace pixpro
