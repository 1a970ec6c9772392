// The flags of a training step, named as in the published code. The defaults are the paper's.
#pragma once

#include "apps/flags/machine.h"
#include "apps/flags/model.h"
#include "apps/flags/optimizer.h"
#include "pixpro/train/trainer.h"

namespace apps {

struct TrainingFlags {
  ModelFlags model;
  OptimizerFlags optimizer;
  MachineFlags machine;
};

void add_training_flags(Command& command, TrainingFlags& flags);

// What the flags mean for a run of this length with `batch_size` images per step.
pixpro::TrainerOptions trainer_options(const TrainingFlags& flags, int64_t batch_size,
                                       const RunLength& length);

}  // namespace apps
