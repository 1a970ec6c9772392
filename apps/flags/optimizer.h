// The flags of the optimiser and the learning rate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/command.h"
#include "layers/optim/schedule.h"
#include "layers/optim/sgd.h"

namespace apps {

struct OptimizerFlags {
  std::string optimizer = "lars";
  double base_lr = 1.0;
  double weight_decay = 1e-5;
  double momentum = 0.9;
  std::string lr_scheduler = "cosine";
  int64_t epochs = 100;
  double warmup_epoch = 5;
  double warmup_multiplier = 100.0;
  std::vector<int64_t> lr_decay_epochs = {120, 160, 200};
  double lr_decay_rate = 0.1;
};

void add_optimizer_flags(Command& command, OptimizerFlags& flags);

void add_batch_size(Command& command, int64_t& batch_size);  // --batch-size

// How long a run is, in optimiser steps.
struct RunLength {
  int64_t total_steps = 1;
  int64_t warmup_steps = 0;
  double steps_per_epoch = 1.0;  // converts --lr-decay-epochs to steps
};

RunLength run_length(const OptimizerFlags& flags, int64_t steps_per_epoch);

layers::SgdSettings sgd_settings(const OptimizerFlags& flags);

// The learning rate for batches of `batch_size` images begins its decay at
// base_lr * batch_size / 256.
layers::Schedule schedule_of(const OptimizerFlags& flags, int64_t batch_size,
                             const RunLength& length);

// A line about a warm-up that does not end before the run does; otherwise empty.
std::string warm_up_note(const OptimizerFlags& flags, const layers::Schedule& schedule);

}  // namespace apps
