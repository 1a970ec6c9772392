// Checkpoints: tensor files from which an interrupted run continues with the same bits.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "pixpro/train/step_record.h"
#include "pixpro/train/trainer.h"

namespace pixpro {

// The settings that a run's numbers depend on, as text: "--arch" -> "resnet50".
using Settings = std::map<std::string, std::string>;

// Replaces the file atomically. Besides the trainer's state it holds the run's; the settings are
// its metadata.
void write_checkpoint(const std::filesystem::path& path, Trainer& trainer, const RunState& run,
                      const Settings& settings);

// The run's part of a file that write_checkpoint wrote; Trainer::load_state reads the other part.
struct ResumedRun {
  RunState state{};
  // What a checkpoint of version 1 recorded. Later ones leave that to the metrics file.
  std::vector<StepRecord> steps{};
};

// Throws Error if the file is not a checkpoint that this version can read, or if it was written
// with other settings, which the message names. An older checkpoint may lack a setting: it then
// counts as written with the value among `defaults` or, if there is none, with the one asked for.
ResumedRun run_of(const engine::TensorFile& checkpoint, const Settings& settings,
                  const Settings& defaults = {});

}  // namespace pixpro
