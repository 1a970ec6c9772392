// What a run has learnt, in a few lines.
#pragma once

#include <string>
#include <vector>

#include "pixpro/train/step_record.h"

namespace pixpro {

// Means over the first and the last tenth of a run's steps.
struct RunSummary {
  double first_loss = 0.0, last_loss = 0.0;
  CollapseMeasures first{}, last{};
};
// Throws if there are no steps.
RunSummary summarize(const std::vector<StepRecord>& steps);

// The summary as a table that says how to tell a collapse. channels: of a feature.
std::string summary_text(const RunSummary& summary, int64_t channels);

}  // namespace pixpro
