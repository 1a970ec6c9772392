// What has been trained so far, as it is written down and printed.
#pragma once

#include <chrono>
#include <filesystem>
#include <vector>

#include "pixpro/train/metrics.h"

namespace apps {

class Progress {
 public:
  struct Run {
    int64_t batch_size, epochs, total_steps;
  };
  // `steps` were done before; add() appends to them.
  Progress(const Run& run, const std::filesystem::path& metrics,
           std::vector<pixpro::StepRecord>& steps);

  using Clock = std::chrono::steady_clock;

  // Every step is recorded, about one a second is printed. taken: the step's time; waited: seconds
  // of it, for images.
  void add(pixpro::StepRecord record, Clock::duration taken, double waited);

 private:
  Run run_;
  std::vector<pixpro::StepRecord>& steps_;
  const size_t done_before_;
  pixpro::MetricsFile metrics_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point printed_{};
};

}  // namespace apps
