// The optimiser's update of all parameters at once, and the moving averages that follow them.
#pragma once

#include <vector>

#include "engine/context.h"

namespace engine {

// One parameter of an optimiser step. Its tensors have the same shape, layout (plain on the CPU,
// any on CUDA) and type (f32; on the CPU f32 or f64). All updates of a call have one type.
struct ParameterUpdate {
  Tensor parameter;
  Tensor gradient{};   // undefined: the parameter stays as it is
  Tensor momentum{};   // momentum buffer, updated in place; defined if the gradient is
  bool decay = false;  // weight decay (and under LARS the trust ratio) applies
  Tensor follower{};   // a moving average of the parameter, updated in place; undefined: none
};

struct SgdOptions {
  double learning_rate = 0.0;
  double momentum = 0.9;
  double weight_decay = 0.0;
  double trust = 0.0;   // trust coefficient of LARS; 0: SGD without LARS
  double eps = 1e-8;    // of the trust ratio
  double follow = 1.0;  // momentum of the followers
  // One f32 element each, on the parameters' device. They are read when the update runs, so the
  // host does not wait for them.
  Tensor skip{};            // not 0: only followers change. Undefined: 0
  Tensor gradient_scale{};  // the factor by which gradients are too large. Undefined: 1
};

// g = gradient + weight_decay * parameter   if decay applies
// g *= trust |parameter| / (|g| + eps)      if decay applies, trust > 0 and both norms are > 0
// momentum_buffer = momentum * momentum_buffer + g;  parameter -= learning_rate * momentum_buffer
// follower = follow * follower + (1 - follow) * parameter
// (You, Gitman, Ginsburg, "Large batch training of convolutional networks", 2017, in the form of
// the published PixPro code.)
//
// This is one pass that reads every tensor once. LARS reads parameters and gradients once more
// before it, for the norms, which are summed in f64 in an order that depends on the shapes alone.
void sgd_update(CpuContext&, std::vector<ParameterUpdate>& updates, const SgdOptions& options);
void sgd_update(CudaContext&, std::vector<ParameterUpdate>& updates, const SgdOptions& options);

// What the kernels of every device check first.
void check_update(const ParameterUpdate& update);

}  // namespace engine
