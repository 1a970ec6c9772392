#include "apps/run/progress.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "apps/console.h"

namespace apps {
namespace {

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Hours, minutes and seconds: "1:02:03".
std::string clock_text(double duration) {
  const auto all = static_cast<int64_t>(std::max(duration, 0.0) + 0.5);
  std::ostringstream out;
  out << all / 3600 << ':' << std::setfill('0') << std::setw(2) << all / 60 % 60 << ':'
      << std::setw(2) << all % 60;
  return out.str();
}

}  // namespace

Progress::Progress(int64_t epochs, int64_t total_steps, int64_t steps_done)
    : epochs_(epochs), total_steps_(total_steps), steps_before_(steps_done) {}

// "epoch 2/10  step 31/180  loss -2.1034  lr 0.1250  momentum 0.9907  41.3 images/s  waiting 2%
// left 0:03:10"
void Progress::show(const pixpro::StepRecord& record) {
  const pixpro::StepResult& step = record.result;
  const int64_t done = step.step + 1;
  const Clock::time_point now = Clock::now();
  if (seconds(now - printed_) < 1.0 && done < total_steps_) return;
  printed_ = now;
  const double left = seconds(now - start_) * static_cast<double>(total_steps_ - done) /
                      static_cast<double>(done - steps_before_);
  std::ostringstream line;
  line << std::fixed << "epoch " << record.epoch + 1 << '/' << epochs_ << "  step " << done << '/'
       << total_steps_ << "  loss " << std::setprecision(4) << step.loss << "  lr "
       << step.learning_rate << "  momentum " << step.momentum << "  " << std::setprecision(1)
       << record.images_per_second << " images/s  waiting " << std::setprecision(0)
       << 100.0 * record.wait_fraction << "%  left " << clock_text(left) << '\n';
  say(line.str());
}

}  // namespace apps
