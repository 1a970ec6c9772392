#include "apps/progress.h"

#include <iostream>

namespace apps {
namespace {

template <class Time>
double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(const Run& run, const std::filesystem::path& metrics,
                   std::vector<pixpro::StepRecord>& steps)
    : run_(run), steps_(steps), done_before_(steps.size()), metrics_(metrics, steps) {}

void Progress::add(pixpro::StepRecord record, double waited) {
  const Clock::time_point now = Clock::now();
  const double seconds = seconds_between(last_, now);
  last_ = now;
  record.images_per_second = static_cast<double>(run_.batch_size) / seconds;
  record.wait_fraction = waited / seconds;
  record.skipped_steps = steps_.empty() ? 0 : steps_.back().skipped_steps;
  record.skipped_steps += record.result.skipped ? 1 : 0;
  metrics_.write(record);
  steps_.push_back(record);
  const auto done = static_cast<int64_t>(steps_.size());
  if (seconds_between(printed_, now) < 1.0 && done < run_.total_steps) return;
  printed_ = now;
  const double left = seconds_between(start_, now) * static_cast<double>(run_.total_steps - done) /
                      static_cast<double>(steps_.size() - done_before_);
  std::cout << progress_line(record, run_.epochs, run_.total_steps, left) << std::endl;
}

}  // namespace apps
