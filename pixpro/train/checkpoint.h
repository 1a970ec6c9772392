// Checkpoints: tensor files from which an interrupted run goes on with the same bits.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pixpro/train/metrics.h"
#include "pixpro/train/trainer.h"

namespace pixpro {

// What a run's numbers depend on, as text: "--arch" -> "resnet50".
using Settings = std::map<std::string, std::string>;

// What a run has beside its trainer.
struct RunState {
  std::vector<StepRecord> steps;       // done
  std::vector<int64_t> broken_images;  // samples that could not be read
};

// Replaces the file in one move. Beside the trainer's state it holds "metrics" [steps, numbers] and
// "broken_images" [count]; the settings are its metadata.
void write_checkpoint(const std::filesystem::path& path, Trainer& trainer, const RunState& run,
                      const Settings& settings);

// Of a file that write_checkpoint wrote; the rest is for Trainer::load_state. Throws Error where it
// is no such file or was written under other settings, naming them.
RunState run_of(const engine::TensorFile& checkpoint, const Settings& settings);

}  // namespace pixpro
