// Which images make up which batch. These are pure functions: nothing depends on threads or time.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/random.h"

namespace pixpro {

// The order in which an epoch visits 0 .. count-1: a permutation keyed by (seed, epoch).
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

// The random stream of view 0 or 1 of an image in an epoch.
engine::Random view_stream(uint64_t seed, int64_t epoch, int64_t sample, int view);

// The images that may stand in for image `sample` of an epoch if it is broken, in the order in
// which they are tried: all others, each once, from a place and in strides that are random. So
// broken neighbors are not all replaced by the same image.
class Substitutes {
 public:
  // count: at least 2 images
  Substitutes(int64_t count, uint64_t seed, int64_t epoch, int64_t sample);

  int64_t next();  // may be called count - 1 times

 private:
  int64_t count_, sample_, stride_, next_;
};

// Which images of an epoch a step takes: step s takes order[s * total, (s + 1) * total) with
// total = batch_size * ranks, in equal contiguous micro-batches, and rank r takes the r-th
// contiguous slice of each. So a micro-batch has the same images on any number of ranks. What is
// left at the end of the epoch is dropped.
struct BatchPlan {
  int64_t batch_size = 1;  // images per step and rank
  int64_t rank = 0, ranks = 1;
  int64_t micro_batches = 1;  // per step; divides the batch size

  int64_t steps_per_epoch(int64_t count) const { return count / (batch_size * ranks); }
  // The place in the order of this rank's image `index` of the step.
  int64_t place(int64_t step, int64_t index) const {
    const int64_t slice = batch_size / micro_batches, micro_batch = index / slice;
    return step * ranks * batch_size + (micro_batch * ranks + rank) * slice + index % slice;
  }
};

}  // namespace pixpro
