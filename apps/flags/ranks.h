// The flags that say how the ranks of a run work together.
#pragma once

#include "apps/command.h"
#include "apps/ranks/ranks.h"
#include "pixpro/train/trainer.h"

namespace apps {

struct RankFlags {
  bool no_sync_bn = false;
  double bucket_mib = 25.0;
  std::string reduce_in = "own";
};

void add_rank_flags(Command& command, RankFlags& flags);

// Has the options' trainer be the one of this rank.
void train_as(const Rank& rank, const RankFlags& flags, pixpro::TrainerOptions& options);

}  // namespace apps
