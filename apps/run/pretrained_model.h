// --pretrained-model: a new run that starts from weights.
#pragma once

#include <filesystem>

#include "pixpro/train/trainer.h"

namespace apps {

// Loads the weights into the trainer's model (see pixpro/weights/pretrained.h). Says on standard
// error which tensors are missing in the file or not in the model.
void start_from_pretrained(const std::filesystem::path& file, pixpro::Trainer& trainer);

}  // namespace apps
