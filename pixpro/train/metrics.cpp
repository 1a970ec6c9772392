#include "pixpro/train/metrics.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <type_traits>

#include "engine/error.h"
#include "engine/files/atomic_file.h"

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
std::pair<double, CollapseMeasures> mean_of(std::span<const StepRecord> steps) {
  double loss = 0.0;
  CollapseMeasures mean;
  const double share = 1.0 / static_cast<double>(steps.size());
  for (const StepRecord& record : steps) {
    const StepResult& step = record.result;
    loss += share * step.loss;
    mean.feature_std += share * step.collapse.feature_std;
    mean.positives_per_image += share * step.collapse.positives_per_image;
    mean.positive_similarity += share * step.collapse.positive_similarity;
    mean.other_similarity += share * step.collapse.other_similarity;
  }
  return {loss, mean};
}

// Calls visit(name, number) for every number of a record, in the order of a line.
template <class Record, class Visit>
void for_each_number(Record& record, Visit&& visit) {
  auto& r = record.result;
  visit("epoch", record.epoch);
  visit("step", r.step);
  visit("loss", r.loss);
  visit("lr", r.learning_rate);
  visit("momentum", r.momentum);
  visit("feature_std", r.collapse.feature_std);
  visit("positives_per_image", r.collapse.positives_per_image);
  visit("positive_similarity", r.collapse.positive_similarity);
  visit("other_similarity", r.collapse.other_similarity);
  visit("images_per_second", record.images_per_second);
  visit("wait_fraction", record.wait_fraction);
  visit("broken_images", record.broken_images);
  visit("skipped_steps", record.skipped_steps);
  visit("loss_scale", r.loss_scale);
}

int64_t count_numbers() {
  const StepRecord record;
  int64_t count = 0;
  for_each_number(record, [&](const char*, auto) { ++count; });
  return count;
}

std::string line_of(const StepRecord& record) {
  nlohmann::ordered_json line;
  for_each_number(record, [&](const char* name, auto number) { line[name] = number; });
  return line.dump() + "\n";
}

void read_number(double found, const char*, double& number) { number = found; }

void read_number(double found, const char* name, int64_t& number) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  engine::require(0.0 <= found && found <= kMost && found == std::floor(found), "metrics: '", name,
                  "' must be a whole number, found ", found);
  number = static_cast<int64_t>(found);
}

}  // namespace

Tensor table_of(const std::vector<StepRecord>& steps) {
  Tensor table({static_cast<int64_t>(steps.size()), count_numbers()}, engine::DType::f64);
  double* place = table.data<double>();
  for (const StepRecord& record : steps) {
    for_each_number(record,
                    [&](const char*, auto number) { *place++ = static_cast<double>(number); });
  }
  return table;
}

std::vector<StepRecord> steps_of(const Tensor& table) {
  const engine::Shape& shape = table.shape();
  engine::require(
      table.dtype() == engine::DType::f64 && shape.axes() == 2 && shape[1] == count_numbers(),
      "metrics: a table f64 [steps,", count_numbers(), "] expected, found ", table.dtype(), " ",
      shape);
  std::vector<StepRecord> steps(static_cast<size_t>(shape[0]));
  const double* place = table.data<double>();
  for (StepRecord& record : steps) {
    for_each_number(record,
                    [&](const char* name, auto& number) { read_number(*place++, name, number); });
  }
  return steps;
}

MetricsFile::MetricsFile(const std::filesystem::path& path, const std::vector<StepRecord>& done)
    : path_(path) {
  if (!done.empty()) {
    std::string text;
    for (const StepRecord& record : done) text += line_of(record);
    engine::write_file_atomically(path, text);
  } else if (std::filesystem::exists(path)) {
    std::filesystem::rename(path, path.string() + ".previous");
  }
  file_.reset(std::fopen(path.c_str(), "a"));
  engine::require(file_ != nullptr, "metrics: cannot write '", path.string(),
                  "': ", std::strerror(errno));
}

void MetricsFile::write(const StepRecord& record) {
  const std::string text = line_of(record);
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

RunSummary summarize(const std::vector<StepRecord>& steps) {
  engine::require(!steps.empty(), "summary: no step was made");
  const size_t tenth = std::max<size_t>(steps.size() / 10, 1);
  const std::span<const StepRecord> all(steps);
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
