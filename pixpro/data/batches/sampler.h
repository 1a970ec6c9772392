// Which pictures make up which batch. Pure functions: nothing depends on threads or time.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/random.h"

namespace pixpro {

// The order in which an epoch visits 0 .. count-1: a permutation keyed by (seed, epoch).
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

// The stream that draws view 0 or 1 of a picture in an epoch.
engine::Random view_stream(uint64_t seed, int64_t epoch, int64_t sample, int view);

// How the pictures of an epoch are dealt out. Step s of the epoch takes order[s * total, (s+1) *
// total) with total = batch_size * ranks; rank r takes the r-th contiguous slice of it. The tail is
// dropped.
struct BatchPlan {
  int64_t batch_size = 1;  // pictures a step and rank
  int64_t rank = 0, ranks = 1;

  int64_t steps_per_epoch(int64_t count) const { return count / (batch_size * ranks); }
  int64_t first(int64_t step) const { return (step * ranks + rank) * batch_size; }
};

}  // namespace pixpro
