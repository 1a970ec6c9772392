// Tests pixpro/report/metrics_file.cpp.
#include "pixpro/report/metrics_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"

namespace pixpro {
namespace {

StepRecord record_of(int64_t step) {
  return {.result = {.step = step, .loss = -0.5 * static_cast<double>(step)}, .epoch = 7};
}

std::vector<nlohmann::json> lines_of(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

class Metrics : public testing::Test {
 protected:
  test_support::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "metrics.jsonl";
};

TEST_F(Metrics, HaveOneLinePerStepAtOnce) {
  MetricsFile file(path_);
  file.write(record_of(0));
  file.write(record_of(1));
  const std::vector<nlohmann::json> lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1]["step"], 1);
  EXPECT_EQ(lines[1]["epoch"], 7);
  EXPECT_EQ(lines[1]["loss"], -0.5);
  EXPECT_TRUE(lines[1].contains("positive_similarity"));
}

TEST_F(Metrics, OfANewRunKeepThoseOfTheOneBefore) {
  MetricsFile(path_).write(record_of(0));
  MetricsFile(path_).write(record_of(3));
  EXPECT_EQ(lines_of(path_).at(0)["step"], 3);
  EXPECT_EQ(lines_of(path_.string() + ".previous").at(0)["step"], 0);
}

TEST_F(Metrics, OfAResumedRunHoldEveryStepOnce) {
  {
    MetricsFile file(path_);
    for (int64_t step = 0; step < 5; ++step) file.write(record_of(step));
  }
  std::ofstream(path_, std::ios::app) << "{\"step\"";  // an interrupted write
  MetricsFile file(path_, {record_of(0), record_of(1)});
  file.write(record_of(2));
  const std::vector<nlohmann::json> lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 3U);
  for (int64_t step = 0; step < 3; ++step)
    EXPECT_EQ(lines[static_cast<size_t>(step)]["step"], step);
}

TEST_F(Metrics, ThatCannotBeWrittenAreAnError) {
  EXPECT_THROW(MetricsFile(dir_.path() / "nowhere" / "metrics.jsonl"), engine::Error);
}

}  // namespace
}  // namespace pixpro
