// The images of a training step, and the parts of them that ranks and micro-batches take.
#pragma once

#include "pixpro/train/step_numbers.h"

namespace pixpro {

// One step's images, or a rank's part of them.
struct StepInput {
  Tensor views;  // [2N,3,H,W]: view 1 of all images, then view 2; on the host or the device
  Tensor boxes;  // [2N,4] in any float type, on the host
  // Images of all ranks in this step; 0: every rank has N.
  int64_t images_of_ranks = 0;
  RankReport report{};
};

// stack: view 1 of N images, then view 2. Returns images begin .. begin+count-1 as such a stack.
Tensor images_of(const Tensor& stack, int64_t begin, int64_t count);

// The part of a step that rank `rank` of `ranks` takes: of each of the `micro_batches`, which have
// m images, the images rank m / ranks to (rank + 1) m / ranks. Throws Error if the step does not
// divide into micro-batches, or if a rank would get no image.
StepInput part_of_rank(const StepInput& step, int rank, int ranks, int64_t micro_batches);

// Images per micro-batch. Throws Error if `views` does not divide.
int64_t micro_batch_size(const Tensor& views, int64_t micro_batches);

}  // namespace pixpro
