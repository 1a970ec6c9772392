#include "pixpro/report/summary.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <tuple>

#include "pixpro/report/metrics_file.h"

namespace pixpro {
namespace {

struct Mean {
  double loss = 0.0;
  CollapseMeasures measures{};
  int64_t steps = 0;

  void add(const StepResult& step) {
    if (!std::isfinite(step.loss)) return;
    const double share = 1.0 / static_cast<double>(++steps);
    loss += share * (step.loss - loss);
    for (const auto& [name, value] : kCollapseMeasures) {
      measures.*value += share * (step.collapse.*value - measures.*value);
    }
  }
};

}  // namespace

std::optional<RunSummary> summarize(const std::filesystem::path& metrics) {
  int64_t steps = 0, number = 0;
  for_each_step(metrics, [&](const StepRecord&) { ++steps; });
  if (steps == 0) return std::nullopt;
  const int64_t tenth = std::max<int64_t>(steps / 10, 1);
  Mean first, last;
  for_each_step(metrics, [&](const StepRecord& record) {
    if (number < tenth) first.add(record.result);
    if (number >= steps - tenth) last.add(record.result);
    ++number;
  });
  return RunSummary{.first_loss = first.loss,
                    .last_loss = last.loss,
                    .first = first.measures,
                    .last = last.measures};
}

std::string summary_text(const RunSummary& summary, int64_t channels) {
  std::ostringstream out;
  const auto row = [&](const char* name, double first, double last) -> std::ostream& {
    return out << std::left << std::setw(26) << name << std::right << std::setw(11) << first
               << std::setw(12) << last;
  };
  const auto& [first_loss, last_loss, first, last] = summary;
  out << "                          first tenth  last tenth\n"
      << std::fixed << std::setprecision(4);
  row("loss", first_loss, last_loss) << '\n';
  row("similarity of positives", first.positive_similarity, last.positive_similarity) << '\n';
  row("similarity of other pairs", first.other_similarity, last.other_similarity)
      << "   collapsed: as high as that of positives\n";
  row("feature deviation", first.feature_std, last.feature_std)
      << "   collapsed: 0; spread evenly: " << 1.0 / std::sqrt(static_cast<double>(channels))
      << '\n'
      << std::setprecision(1);
  row("positive pairs per image", first.positives_per_image, last.positives_per_image) << '\n';
  return out.str();
}

}  // namespace pixpro
