// Updates of all parameters at once: the optimiser and the momentum branch. All tensors of one type
// (f32 or f64); plain on the CPU, in any layout on CUDA. Norms are summed in f64 in an order that
// no thread count changes.
#pragma once

#include <vector>

#include "engine/context.h"

namespace engine {

// One parameter of an optimiser step.
struct ParameterUpdate {
  Tensor parameter;
  Tensor gradient{};   // undefined: the parameter stays as it is
  Tensor momentum{};   // momentum buffer, updated in place
  bool decay = false;  // weight decay (and under LARS the trust ratio) applies
  Tensor follower{};   // a moving average of the parameter, updated in place. Undefined: none
};

struct SgdOptions {
  double learning_rate = 0.0;
  double momentum = 0.9;
  double weight_decay = 0.0;
  double trust = 0.0;   // > 0: LARS
  double eps = 1e-8;    // of the trust ratio
  double follow = 1.0;  // momentum of the followers
  // Both one element, f32, where the parameters are; read when the update runs, so nobody waits.
  Tensor skip{};            // not 0: nothing but followers is changed. Undefined: 0
  Tensor gradient_scale{};  // what gradients are too large by. Undefined: 1
};

// g = gradient + weight_decay * parameter   where decay applies
// g *= trust |parameter| / (|g| + eps)      where decay applies, trust > 0 and both norms are > 0
// momentum_buffer = momentum * momentum_buffer + g;  parameter -= learning_rate * momentum_buffer
// follower = follow * follower + (1 - follow) * parameter
// (You, Gitman, Ginsburg, "Large batch training of convolutional networks", 2017, as published
// PixPro code computes it.)
// All this is one pass that reads every tensor once, but for LARS' norms: as the first element's
// ratio depends on the last element, they read parameter and gradient before.
void sgd_update(CpuContext&, std::vector<ParameterUpdate>& updates, const SgdOptions& options);
void sgd_update(CudaContext&, std::vector<ParameterUpdate>& updates, const SgdOptions& options);

// flag: one element, f32. Becomes 1 where any element of the tensors (f32, f64) is infinite or not
// a number, and stays as it is otherwise.
void find_not_finite(CpuContext&, const std::vector<Tensor>& tensors, Tensor& flag);
void find_not_finite(CudaContext&, const std::vector<Tensor>& tensors, Tensor& flag);

// Dynamic loss scaling (Micikevicius et al., "Mixed precision training", 2018): half as large after
// a step whose gradients were not finite, twice as large after `growth_interval` good ones in a
// row. state: [2] f32: the scale and the number of good steps since it changed.
struct LossScaling {
  double initial = 65536.0;  // and the largest
  int64_t growth_interval = 2000;
};
void update_loss_scale(CpuContext&, const Tensor& not_finite, LossScaling options, Tensor& state);
void update_loss_scale(CudaContext&, const Tensor& not_finite, LossScaling options, Tensor& state);

}  // namespace engine
