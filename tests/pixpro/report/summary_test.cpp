// Tests pixpro/report/summary.cpp.
#include "pixpro/report/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "pixpro/report/metrics_file.h"
#include "tests/support/temp_dir.h"

namespace pixpro {
namespace {

class Summary : public testing::Test {
 protected:
  // Losses 0, -1, -2, ...; the steps in `skipped` have none.
  std::optional<RunSummary> falling_losses(int64_t count,
                                           const std::vector<int64_t>& skipped = {}) {
    std::vector<StepRecord> steps(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      StepResult& step = steps[static_cast<size_t>(i)].result;
      step.loss = -static_cast<double>(i);
      step.collapse.feature_std = 0.01 * static_cast<double>(i);
    }
    for (const int64_t i : skipped) {
      StepResult& step = steps[static_cast<size_t>(i)].result;
      step.loss = step.collapse.feature_std = std::nan("");
    }
    write_history(path_, steps);
    return summarize(path_);
  }

  test_support::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "metrics.jsonl";
};

TEST_F(Summary, ComparesTheFirstTenthWithTheLast) {
  const RunSummary summary = falling_losses(25).value();
  EXPECT_DOUBLE_EQ(summary.first_loss, -0.5);
  EXPECT_DOUBLE_EQ(summary.last_loss, -23.5);
  EXPECT_DOUBLE_EQ(summary.first.feature_std, 0.005);
  EXPECT_DOUBLE_EQ(summary.last.feature_std, 0.235);
}

TEST_F(Summary, OfAShortRunComparesSingleSteps) {
  const RunSummary summary = falling_losses(3).value();
  EXPECT_EQ(summary.first_loss, 0.0);
  EXPECT_EQ(summary.last_loss, -2.0);
}

TEST_F(Summary, PassesOverStepsWithoutALoss) {
  const RunSummary summary = falling_losses(30, {0, 28}).value();
  EXPECT_DOUBLE_EQ(summary.first_loss, -1.5);
  EXPECT_DOUBLE_EQ(summary.last_loss, -28.0);
  EXPECT_DOUBLE_EQ(summary.last.feature_std, 0.28);
}

TEST_F(Summary, PassesOverLinesThatAreNotSteps) {
  falling_losses(3);
  std::ofstream(path_, std::ios::app) << "not JSON\n[1]\n{\"step\"";
  EXPECT_EQ(summarize(path_).value().last_loss, -2.0);
}

TEST_F(Summary, OfNoStepsIsNone) {
  EXPECT_FALSE(falling_losses(0).has_value());
  EXPECT_FALSE(summarize(dir_.path() / "nowhere").has_value());
}

TEST_F(Summary, TellsHowACollapseWouldLook) {
  const std::string text = summary_text(falling_losses(3).value(), 256);
  EXPECT_NE(text.find("loss                           0.0000     -2.0000\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("feature deviation              0.0000      0.0200   collapsed: 0; spread "
                      "evenly: 0.0625\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace pixpro
