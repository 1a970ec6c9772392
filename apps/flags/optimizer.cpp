#include "apps/flags/optimizer.h"

#include <cmath>
#include <sstream>

#include "apps/flags/checks.h"

namespace apps {

void add_optimizer_flags(Command& command, OptimizerFlags& flags) {
  command.add("--optimizer", &flags.optimizer, ChangesNumbers::yes, "Optimiser",
              CLI::IsMember({"lars", "sgd"}));
  command.add("--base-lr,--base-learning-rate", &flags.base_lr, ChangesNumbers::yes,
              "Learning rate for 256 images per step; scaled to the batch size",
              number_in(0.0, kLargest));
  command.add("--weight-decay", &flags.weight_decay, ChangesNumbers::yes, "Weight decay",
              number_in(0.0, kLargest));
  command.add("--momentum", &flags.momentum, ChangesNumbers::yes, "Momentum of the optimiser",
              number_in(0.0, 1.0));
  command.add("--lr-scheduler", &flags.lr_scheduler, ChangesNumbers::yes,
              "Decay of the learning rate", CLI::IsMember({"cosine", "step"}));
  command.add("--epochs", &flags.epochs, ChangesNumbers::yes, "Passes over the images",
              CLI::Range(int64_t{1}, int64_t{1} << 32));
  command.add("--warmup-epoch", &flags.warmup_epoch, ChangesNumbers::yes,
              "Epochs of linear warm-up", number_in(0.0, 1e9));
  command.add("--warmup-multiplier", &flags.warmup_multiplier, ChangesNumbers::yes,
              "Warm-up starts at the learning rate divided by this", number_in(1.0, kLargest));
  command.add("--lr-decay-epochs", &flags.lr_decay_epochs, ChangesNumbers::yes,
              "With --lr-scheduler step: epochs at which the rate falls",
              CLI::Range(int64_t{0}, int64_t{1} << 32));
  command.add("--lr-decay-rate", &flags.lr_decay_rate, ChangesNumbers::yes,
              "With --lr-scheduler step: factor by which the rate falls", number_in(0.0, kLargest));
}

void add_batch_size(Command& command, int64_t& batch_size) {
  command.add("--batch-size", &batch_size, ChangesNumbers::yes, "Images per step",
              CLI::Range(int64_t{1}, int64_t{1} << 20));
}

RunLength run_length(const OptimizerFlags& flags, int64_t steps_per_epoch) {
  const auto per_epoch = static_cast<double>(steps_per_epoch);
  return {.total_steps = flags.epochs * steps_per_epoch,
          .warmup_steps = static_cast<int64_t>(flags.warmup_epoch * per_epoch),
          .steps_per_epoch = per_epoch};
}

layers::SgdSettings sgd_settings(const OptimizerFlags& flags) {
  return {.lars = flags.optimizer == "lars",
          .momentum = flags.momentum,
          .weight_decay = flags.weight_decay};
}

layers::Schedule schedule_of(const OptimizerFlags& flags, int64_t batch_size,
                             const RunLength& length) {
  layers::Schedule schedule{
      .base = flags.base_lr * static_cast<double>(batch_size) / 256.0,
      .total_steps = length.total_steps,
      .warmup_steps = length.warmup_steps,
      .warmup_multiplier = flags.warmup_multiplier,
      .decay = flags.lr_scheduler == "step" ? layers::Schedule::Decay::step
                                            : layers::Schedule::Decay::cosine,
      .rate = flags.lr_decay_rate,
  };
  for (const int64_t epoch : flags.lr_decay_epochs) {
    schedule.milestones.push_back(
        std::llround(static_cast<double>(epoch) * length.steps_per_epoch));
  }
  return schedule;
}

std::string warm_up_note(const OptimizerFlags& flags, const layers::Schedule& schedule) {
  if (schedule.warmup_steps < schedule.total_steps) return {};
  std::ostringstream note;
  note << "the warm-up of " << flags.warmup_epoch << " epochs does not end within the run of "
       << flags.epochs << " epochs: the learning rate only rises, to "
       << learning_rate(schedule, schedule.total_steps - 1) << " instead of " << schedule.base
       << "; set --warmup-epoch\n";
  return note.str();
}

}  // namespace apps
