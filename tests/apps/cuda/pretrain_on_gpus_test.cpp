// Runs of pixpro pretrain on several GPUs of one process.
#include <signal.h>

#include <chrono>
#include <thread>

#include "engine/ranks/devices.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

class CudaPretrain : public Pretrain {
 protected:
  void SetUp() override {
    if (engine::count_cuda_devices() < 4) GTEST_SKIP() << "needs four GPUs";
    Pretrain::SetUp();
  }
  // Any number of ranks makes the steps of one rank with four images.
  std::vector<std::string> on_gpus(int ranks, const char* name, int epochs,
                                   const std::vector<std::string>& more = {}) const {
    const std::string last = std::to_string(ranks - 1), images = std::to_string(4 / ranks);
    std::vector<std::string> all = {
        "--threads",    "1",   "--num-workers", "1", "--device", "cuda:0-" + last,
        "--batch-size", images};
    all.insert(all.end(), more.begin(), more.end());
    return arguments(dir_.path() / name, all, epochs);
  }
  std::string weights(const char* name) const {
    return text_of(dir_.path() / name / "weights.safetensors");
  }
};

TEST_F(CudaPretrain, FourGpusTrainAsTheCpuDoes) {
  ASSERT_EQ(train(dir_.path() / "cpu", {}, 1).status, 0);
  const CommandResult result = run_pixpro(on_gpus(4, "gpus", 1));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto expected = read_metrics(dir_.path() / "cpu" / "metrics.jsonl");
  const auto found = read_metrics(dir_.path() / "gpus" / "metrics.jsonl");
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    for (const char* key : {"loss", "feature_std", "positive_similarity", "positives_per_image"}) {
      EXPECT_NEAR(found[i][key].get<double>(), expected[i][key].get<double>(), 2e-3) << key;
    }
  }
}

TEST_F(CudaPretrain, TwoGpusStopTogetherAndGoOnWithTheSameBits) {
  ASSERT_EQ(run_pixpro(on_gpus(2, "whole", 2)).status, 0);
  const fs::path metrics = dir_.path() / "parts" / "metrics.jsonl";
  const CommandResult stopped = run_pixpro(on_gpus(2, "parts", 2), [&](pid_t process) {
    for (int i = 0; i < 60'000 && !fs::exists(metrics); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(process, SIGTERM);
  });
  expect_refusal(stopped, {"interrupted after step ", "--auto-resume goes on from"}, 75);
  ASSERT_EQ(run_pixpro(on_gpus(2, "parts", 2, {"--auto-resume"})).status, 0);
  EXPECT_EQ(weights("parts"), weights("whole"));
}

}  // namespace
}  // namespace apps
