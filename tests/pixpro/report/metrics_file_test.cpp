// Tests pixpro/report/metrics_file.cpp.
#include "pixpro/report/metrics_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
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

TEST_F(Metrics, SayWhatIsNotUsedAndWhy) {
  Skipped skipped;
  for (const char* reason : {".txt", ".txt", "hidden", ".\xff\n"}) skipped.add_file(reason);
  skipped.add_forbidden_folder("private");
  const nlohmann::json files{{".txt", 2}, {"hidden", 1}, {".\\xff\\n", 1}};
  StepRecord record = record_of(0);
  HistoryEnd end;
  {
    MetricsFile file(path_, end, skipped);
    file.write(record);
    end = file.flush();
    record.broken = {{"the file is empty", 1}};
    record.broken_images = 1;
    file.write(record);
    file.write(record);
  }
  std::vector<nlohmann::json> lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 3U);
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line["skipped_files"], 4);
    EXPECT_EQ(line["skipped_folders"], 1);
  }
  EXPECT_EQ(lines[0]["skipped_files_by_reason"], files);
  EXPECT_EQ(lines[0]["skipped_folders_by_reason"], nlohmann::json({{"without permission", 1}}));
  EXPECT_EQ(lines[0]["broken_images_by_reason"], nlohmann::json::object());
  EXPECT_EQ(lines[1]["broken_images_by_reason"], nlohmann::json({{"the file is empty", 1}}));
  EXPECT_FALSE(lines[1].contains("skipped_files_by_reason"));
  EXPECT_FALSE(lines[2].contains("broken_images_by_reason")) << "nothing has changed";

  MetricsFile(path_, end, {}).write(record);  // a resumed run, from which the files are gone
  lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1]["skipped_files"], 0);
  EXPECT_EQ(lines[1]["skipped_files_by_reason"], nlohmann::json::object());
  EXPECT_EQ(lines[1]["broken_images_by_reason"], nlohmann::json({{"the file is empty", 1}}));
}

TEST_F(Metrics, OfANewRunKeepThoseOfTheOneBefore) {
  MetricsFile(path_).write(record_of(0));
  MetricsFile(path_).write(record_of(3));
  EXPECT_EQ(lines_of(path_).at(0)["step"], 3);
  EXPECT_EQ(lines_of(path_.string() + ".previous").at(0)["step"], 0);
}

TEST_F(Metrics, OfAResumedRunHoldEveryStepOnce) {
  HistoryEnd end;
  {
    MetricsFile file(path_);
    for (int64_t step = 0; step < 5; ++step) {
      file.write(record_of(step));
      if (step == 1) end = file.flush();
    }
  }
  std::ofstream(path_, std::ios::app) << "{\"step\"";  // an interrupted write
  for (int attempt = 0; attempt < 2; ++attempt) {
    MetricsFile file(path_, end);
    EXPECT_TRUE(file.continued());
    file.write(record_of(2));
    const std::vector<nlohmann::json> lines = lines_of(path_);
    ASSERT_EQ(lines.size(), 3U);
    for (int64_t step = 0; step < 3; ++step) {
      EXPECT_EQ(lines[static_cast<size_t>(step)]["step"], step);
    }
  }
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".previous"));
}

TEST_F(Metrics, ThatDoNotHoldTheHistoryBeginAnew) {
  HistoryEnd end;
  {
    MetricsFile file(path_);
    file.write(record_of(0));
    file.write(record_of(1));
    end = file.flush();
  }
  const std::filesystem::path previous = path_.string() + ".previous";
  const auto expect_new = [&] {
    MetricsFile file(path_, end);
    EXPECT_FALSE(file.continued());
    file.write(record_of(2));
    EXPECT_EQ(lines_of(path_).size(), 1U);
    EXPECT_EQ(file.flush().bytes, static_cast<int64_t>(std::filesystem::file_size(path_)));
  };
  std::filesystem::resize_file(path_, static_cast<uintmax_t>(end.bytes - 1));  // shorter
  expect_new();
  EXPECT_TRUE(std::filesystem::exists(previous));
  {
    MetricsFile other(path_);  // as long, but another run's
    other.write(record_of(0));
    other.write(record_of(2));
    ASSERT_EQ(other.flush().bytes, end.bytes);
  }
  expect_new();
  EXPECT_EQ(lines_of(previous).back()["step"], 2);
  std::filesystem::remove(path_);
  expect_new();
}

TEST_F(Metrics, OfAnOlderCheckpointAreWrittenOut) {
  MetricsFile(path_).write(record_of(7));
  const HistoryEnd end = write_history(path_, {record_of(0), record_of(1)});
  MetricsFile file(path_, end);
  EXPECT_TRUE(file.continued());
  file.write(record_of(2));
  EXPECT_EQ(lines_of(path_).size(), 3U);
}

TEST_F(Metrics, ComeBackAsSteps) {
  StepRecord written = record_of(1);
  written.result.loss = std::nan("");
  written.result.collapse.feature_std = 0.1;
  write_history(path_, {record_of(0), written});
  std::vector<StepRecord> steps;
  for_each_step(path_, [&](const StepRecord& step) { steps.push_back(step); });
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[1].result.step, 1);
  EXPECT_EQ(steps[1].epoch, 7);
  EXPECT_EQ(steps[1].result.collapse.feature_std, 0.1);
  EXPECT_TRUE(std::isnan(steps[1].result.loss));
}

TEST_F(Metrics, ThatCannotBeWrittenAreAnError) {
  EXPECT_THROW(MetricsFile(dir_.path() / "nowhere" / "metrics.jsonl"), engine::Error);
}

// The limit on the size of a file stands for a full disk.
TEST_F(Metrics, AreLeftWithoutALineThatDoesNotFit) {
  MetricsFile file(path_);
  file.write(record_of(0));
  const HistoryEnd before = file.flush();
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  rlimit full = limit;
  full.rlim_cur = static_cast<rlim_t>(before.bytes + 10);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &full);
  EXPECT_THROW(file.write(record_of(1)), engine::Error);
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(path_)), before.bytes);
  file.write(record_of(2));
  EXPECT_EQ(lines_of(path_).back()["step"], 2);
}

}  // namespace
}  // namespace pixpro
