// Progress lines of a training run.
#pragma once

#include <chrono>

#include "pixpro/train/step_record.h"

namespace apps {

class Progress {
 public:
  // A run of this length, which continues after `steps_done` steps.
  Progress(int64_t epochs, int64_t total_steps, int64_t steps_done);

  // To be called after every step. Prints about one line per second, and one for the last step.
  void show(const pixpro::StepRecord& record);

 private:
  using Clock = std::chrono::steady_clock;

  int64_t epochs_, total_steps_, steps_before_;
  Clock::time_point start_ = Clock::now(), printed_{};
};

}  // namespace apps
