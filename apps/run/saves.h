// The checkpoints that a training run saves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/run/output_folder.h"
#include "pixpro/report/metrics_file.h"
#include "pixpro/train/checkpoint.h"

namespace apps {

class Saves {
 public:
  // What is saved, and where. All of it must outlive this object.
  Saves(const RunFolder& folder, pixpro::Trainer& trainer, pixpro::RunState& state,
        const pixpro::Settings& settings, pixpro::MetricsFile& metrics)
      : folder_(folder), trainer_(trainer), state_(state), settings_(settings), metrics_(metrics) {}

  // Replaces the folder's checkpoint, unless it holds this very step. If that fails, the older
  // checkpoint stays as it is, and the error is thrown if this is the last save of the run;
  // otherwise it is only reported. Throws in any case if another run has taken over the folder.
  void save(bool last);
  // The checkpoint holds what the trainer holds now.
  void note_saved() { saved_ = trainer_.steps_done(); }

  // Whether the last attempt failed, so that the next one should come earlier than usual.
  bool failed() const { return failed_; }

  // For the message with which a run ends.
  std::string how_to_go_on() const;

 private:
  const RunFolder& folder_;
  pixpro::Trainer& trainer_;
  pixpro::RunState& state_;
  const pixpro::Settings& settings_;
  pixpro::MetricsFile& metrics_;
  std::optional<int64_t> saved_;  // steps in the checkpoint
  bool failed_ = false;
  bool lost_ = false;  // the folder belongs to another run now
};

}  // namespace apps
