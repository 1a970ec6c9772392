#include "pixpro/report/summary.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <span>
#include <sstream>
#include <tuple>

namespace pixpro {
namespace {

std::pair<double, CollapseMeasures> mean_of(std::span<const StepRecord> steps) {
  double loss = 0.0;
  CollapseMeasures mean;
  const double share = 1.0 / static_cast<double>(steps.size());
  for (const StepRecord& record : steps) {
    loss += share * record.result.loss;
    add_share(mean, record.result.collapse, share);
  }
  return {loss, mean};
}

}  // namespace

RunSummary summarize(const std::vector<StepRecord>& steps) {
  engine::require(!steps.empty(), "summary: the run has made no step");
  const size_t tenth = std::max<size_t>(steps.size() / 10, 1);
  const std::span<const StepRecord> all(steps);
  RunSummary summary;
  std::tie(summary.first_loss, summary.first) = mean_of(all.first(tenth));
  std::tie(summary.last_loss, summary.last) = mean_of(all.last(tenth));
  return summary;
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
