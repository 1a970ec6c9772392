#include "apps/flags/training.h"

namespace apps {

void add_training_flags(Command& command, TrainingFlags& flags) {
  add_model_flags(command, flags.model);
  add_optimizer_flags(command, flags.optimizer);
  add_machine_flags(command, flags.machine);
}

pixpro::TrainerOptions trainer_options(const TrainingFlags& flags, int64_t batch_size,
                                       const RunLength& length) {
  return {.model = model_options(flags.model),
          .optimizer = sgd_settings(flags.optimizer),
          .schedule = schedule_of(flags.optimizer, batch_size, length),
          .encoder_momentum = flags.model.pixpro_momentum,
          .seed = flags.machine.seed,
          .precision = precision_of(flags.machine),
          .device = device_of(flags.machine)};
}

}  // namespace apps
