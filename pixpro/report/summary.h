// What a run has learnt, in a few lines.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pixpro/train/collapse.h"

namespace pixpro {

// Means over the first and the last tenth of a run's steps. Steps without a finite loss, which f16
// skips, do not count.
struct RunSummary {
  double first_loss = 0.0, last_loss = 0.0;
  CollapseMeasures first{}, last{};
};
// metrics: the run's metrics file, which is read twice, line by line. Nothing if it holds no steps.
std::optional<RunSummary> summarize(const std::filesystem::path& metrics);

// The summary as a table that says how to tell a collapse. channels: of a feature.
std::string summary_text(const RunSummary& summary, int64_t channels);

}  // namespace pixpro
