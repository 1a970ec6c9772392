#include "pixpro/train/metrics.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>

#include "engine/error.h"

namespace pixpro {
namespace {

std::string clock_text(double seconds) {
  const auto all = static_cast<int64_t>(std::max(seconds, 0.0) + 0.5);
  std::ostringstream out;
  out << all / 3600 << ':' << std::setfill('0') << std::setw(2) << all / 60 % 60 << ':'
      << std::setw(2) << all % 60;
  return out.str();
}

// Means of the loss and the measures over some steps.
std::pair<double, CollapseMeasures> mean_of(std::span<const StepResult> steps) {
  double loss = 0.0;
  CollapseMeasures mean;
  const double share = 1.0 / static_cast<double>(steps.size());
  for (const StepResult& step : steps) {
    loss += share * step.loss;
    mean.feature_std += share * step.collapse.feature_std;
    mean.positives_per_image += share * step.collapse.positives_per_image;
    mean.positive_similarity += share * step.collapse.positive_similarity;
    mean.other_similarity += share * step.collapse.other_similarity;
  }
  return {loss, mean};
}

}  // namespace

MetricsFile::MetricsFile(const std::filesystem::path& path) : path_(path) {
  if (std::filesystem::exists(path)) std::filesystem::rename(path, path.string() + ".previous");
  file_.reset(std::fopen(path.c_str(), "w"));
  engine::require(file_ != nullptr, "metrics: cannot write '", path.string(),
                  "': ", std::strerror(errno));
}

void MetricsFile::write(const StepRecord& record) {
  const StepResult& r = record.result;
  const nlohmann::ordered_json line = {
      {"epoch", record.epoch},
      {"step", r.step},
      {"loss", r.loss},
      {"lr", r.learning_rate},
      {"momentum", r.momentum},
      {"feature_std", r.collapse.feature_std},
      {"positives_per_image", r.collapse.positives_per_image},
      {"positive_similarity", r.collapse.positive_similarity},
      {"other_similarity", r.collapse.other_similarity},
      {"images_per_second", record.images_per_second},
      {"wait_fraction", record.wait_fraction},
      {"broken_images", record.broken_images},
      {"skipped_steps", record.skipped_steps},
      {"loss_scale", r.loss_scale},
  };
  const std::string text = line.dump() + "\n";
  const bool written = std::fputs(text.c_str(), file_.get()) >= 0 && std::fflush(file_.get()) == 0;
  engine::require(written, "metrics: cannot write '", path_.string(), "': ", std::strerror(errno));
}

std::string progress_line(const StepRecord& record, int64_t epochs, int64_t total_steps,
                          double seconds_left) {
  const StepResult& r = record.result;
  std::ostringstream out;
  out << std::fixed << "epoch " << record.epoch + 1 << '/' << epochs << "  step " << r.step + 1
      << '/' << total_steps << "  loss " << std::setprecision(4) << r.loss << "  lr "
      << r.learning_rate << "  momentum " << r.momentum << "  " << std::setprecision(1)
      << record.images_per_second << " images/s  waiting " << std::setprecision(0)
      << 100.0 * record.wait_fraction << "%  left " << clock_text(seconds_left);
  return out.str();
}

RunSummary summarize(const std::vector<StepResult>& steps) {
  engine::require(!steps.empty(), "summary: no step was made");
  const size_t tenth = std::max<size_t>(steps.size() / 10, 1);
  const std::span<const StepResult> all(steps);
  RunSummary summary;
  std::tie(summary.first_loss, summary.first) = mean_of(all.first(tenth));
  std::tie(summary.last_loss, summary.last) = mean_of(all.last(tenth));
  return summary;
}

std::string summary_text(const RunSummary& s, int64_t channels) {
  const double even = 1.0 / std::sqrt(static_cast<double>(channels));
  std::ostringstream out;
  out << std::fixed << std::setprecision(4)  //
      << "                          first tenth  last tenth\n"
      << "loss                      " << std::setw(11) << s.first_loss << std::setw(12)
      << s.last_loss << '\n'
      << "similarity of positives   " << std::setw(11) << s.first.positive_similarity
      << std::setw(12) << s.last.positive_similarity << '\n'
      << "similarity of other pairs " << std::setw(11) << s.first.other_similarity << std::setw(12)
      << s.last.other_similarity << "   collapsed: as high as that of positives\n"
      << "feature deviation         " << std::setw(11) << s.first.feature_std << std::setw(12)
      << s.last.feature_std << "   collapsed: 0; spread evenly: " << even << '\n'
      << std::setprecision(1)  //
      << "positive pairs an image   " << std::setw(11) << s.first.positives_per_image
      << std::setw(12) << s.last.positives_per_image << '\n';
  return out.str();
}

}  // namespace pixpro
