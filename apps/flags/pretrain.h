// The flags of pretrain.
#pragma once

#include <filesystem>
#include <optional>

#include "apps/flags/bit_depth.h"
#include "apps/flags/ranks.h"
#include "apps/flags/reading.h"
#include "apps/flags/source.h"
#include "apps/flags/training.h"
#include "apps/flags/views.h"

namespace apps {

struct PretrainFlags {
  SourceFlags source;
  ReadingFlags reading;
  BitDepthFlag bit_depth;
  ViewFlags views;
  TrainingFlags training;
  RankFlags ranks;
  int64_t batch_size = 128;  // of each rank
  std::optional<int64_t> total_batch_size;
  int64_t accumulate = 1;
  int num_workers = 4;
  std::optional<int64_t> max_broken;
  std::filesystem::path output_dir = "output";
  int64_t save_freq = 10;
  std::optional<std::filesystem::path> resume;
  bool auto_resume = false, overwrite = false, extend = false;
  std::optional<std::filesystem::path> pretrained_model;
};

void add_pretrain_flags(Command& command, PretrainFlags& flags);

// Throws Error if they contradict each other.
void check(const PretrainFlags& flags, int ranks);

// Sets the batch size of each of `ranks` ranks if the total was given. Throws BadStart if it does
// not divide.
void divide_batch(PretrainFlags& flags, int ranks);

}  // namespace apps
