// Going on with the run of a checkpoint, perhaps to more epochs than it began with (--extend).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/flags/training.h"
#include "apps/run/output_folder.h"
#include "pixpro/report/metrics_file.h"
#include "pixpro/train/checkpoint.h"

namespace apps {

struct Resumption {
  pixpro::ResumedRun run{};
  std::optional<int64_t> epochs_before{};  // the run's length so far, if it is extended
};

// settings: those asked for; defaults: of all flags that change numbers; epochs: as asked for.
// Throws Error if the checkpoint's settings differ, except that `extend` allows more epochs.
Resumption resume(const engine::TensorFile& checkpoint, pixpro::Settings settings,
                  const pixpro::Settings& defaults, int64_t epochs, bool extend);

// A line about what changes if the run is extended; otherwise empty. options: those of the longer
// run.
std::string extension_note(const Resumption& resumption, const OptimizerFlags& flags,
                           const pixpro::TrainerOptions& options);

// Opens the folder's metrics file to append to the run's history. If the file does not hold that
// history, a new file begins, and a line says so. skipped: of the run's data set.
pixpro::MetricsFile open_metrics(const RunFolder& folder, Resumption& resumption,
                                 const pixpro::Skipped& skipped);

}  // namespace apps
