// What a run says at its beginning and at its end.
#pragma once

#include "apps/flags/pretrain.h"
#include "apps/ranks/ranks.h"
#include "apps/run/batches.h"
#include "apps/run/output_folder.h"
#include "pixpro/train/trainer.h"

namespace apps {

// Images, steps, ranks and threads.
void announce(const PretrainFlags& flags, const Rank& rank, const pixpro::Source& source,
              const pixpro::Loader& loader, const pixpro::Trainer& trainer);

// Which images were broken, the summary of the metrics, and the names of the files.
void report_outcome(const RunFolder& folder, const pixpro::TrainerOptions& options,
                    const Batches& batches);

}  // namespace apps
