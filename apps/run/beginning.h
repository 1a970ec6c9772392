// What a run begins with: a new run, or one that goes on from a checkpoint.
#pragma once

#include <filesystem>
#include <optional>

#include "apps/flags/pretrain.h"
#include "apps/ranks/ranks.h"
#include "apps/run/output_folder.h"
#include "apps/run/resumption.h"

namespace apps {

// The checkpoint that the run goes on from; none for a new run. Throws Error if the folder holds
// the checkpoint of another run, unless that is to be set aside.
std::optional<std::filesystem::path> checkpoint_to_resume(const PretrainFlags& flags,
                                                          const RunFolder& folder);

// Keeps the files of an earlier run if this one does not go on from it.
void set_aside_earlier_run(const RunFolder& folder,
                           const std::optional<std::filesystem::path>& resumed);

struct Beginning {
  std::optional<engine::TensorFile> checkpoint{};
  pixpro::DecodeOptions decoding{};
  Resumption resumption{};      // if there is a checkpoint
  pixpro::Settings settings{};  // for the checkpoints to come
};

// Reads the checkpoint, if the run goes on from one. Throws Error if it is of a run with other
// settings or images.
Beginning beginning_of(const PretrainFlags& flags,
                       const std::optional<std::filesystem::path>& resumed,
                       const pixpro::Source& source, const Command& command, int ranks);

// Loads the weights from which the run begins, if they are not to be random. All ranks call it.
void load_beginning(const PretrainFlags& flags, const Rank& rank,
                    std::optional<engine::TensorFile>& checkpoint, pixpro::Trainer& trainer);

// If the run goes on with another number of ranks: says so, and what it means. Otherwise empty.
std::string ranks_note(const Beginning& begin, int ranks, bool sync_batch_norm);

}  // namespace apps
