// Dynamic loss scaling for training in f16 (Micikevicius et al., "Mixed precision training", 2018).
#pragma once

#include <vector>

#include "engine/context.h"

namespace engine {

// flag: one f32 element. Becomes 1 if any element of the tensors (f32; on the CPU also f64) is
// infinite or not a number; otherwise it stays as it is.
void find_not_finite(CpuContext&, const std::vector<Tensor>& tensors, Tensor& flag);
void find_not_finite(CudaContext&, const std::vector<Tensor>& tensors, Tensor& flag);

struct LossScaling {
  double initial = 65536.0;  // also the largest
  int64_t growth_interval = 2000;
};

// Halves the scale if `not_finite` is not 0, and doubles it after `growth_interval` steps in a row
// without such a gradient. state: [2] f32: the scale, and the number of good steps since its last
// change.
void update_loss_scale(CpuContext&, const Tensor& not_finite, LossScaling options, Tensor& state);
void update_loss_scale(CudaContext&, const Tensor& not_finite, LossScaling options, Tensor& state);

}  // namespace engine
