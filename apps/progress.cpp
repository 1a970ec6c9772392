#include "apps/progress.h"

#include <iostream>

namespace apps {
namespace {

template <class Duration>
double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Progress::Progress(const Run& run, const std::filesystem::path& metrics,
                   std::vector<pixpro::StepRecord>& steps)
    : run_(run), steps_(steps), done_before_(steps.size()), metrics_(metrics, steps) {}

void Progress::add(pixpro::StepRecord record, Clock::duration taken, double waited) {
  record.images_per_second = static_cast<double>(run_.batch_size) / seconds(taken);
  record.wait_fraction = waited / seconds(taken);
  record.skipped_steps = steps_.empty() ? 0 : steps_.back().skipped_steps;
  record.skipped_steps += record.result.skipped ? 1 : 0;
  metrics_.write(record);
  steps_.push_back(record);
  const auto done = static_cast<int64_t>(steps_.size());
  const Clock::time_point now = Clock::now();
  if (seconds(now - printed_) < 1.0 && done < run_.total_steps) return;
  printed_ = now;
  const double left = seconds(now - start_) * static_cast<double>(run_.total_steps - done) /
                      static_cast<double>(steps_.size() - done_before_);
  std::cout << progress_line(record, run_.epochs, run_.total_steps, left) << std::endl;
}

}  // namespace apps
