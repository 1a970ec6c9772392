// The loss scale of training in f16. Small gradients would round to 0 in f16, so the loss is
// multiplied by a scale before the backward pass, and the optimiser divides the gradients by it.
// The right scale is found while training (engine/kernels/loss_scale.h). It stays on the device, so
// that the host never waits for it.
#pragma once

#include "engine/kernels/loss_scale.h"

namespace pixpro {

// All other types represent every gradient, and their scale is always 1: factor() and state() are
// undefined tensors then, and update() does nothing.
class LossScale {
 public:
  LossScale(engine::DType precision, engine::Device device);

  // Where a backward pass starts: the gradient of the loss, which is `share` times the scale.
  engine::Tensor gradient_of(const engine::Tensor& loss, double share) const;

  // The factor by which the gradients are too large: one element, f32.
  engine::Tensor factor() const;

  // To be called after a step. not_finite: one element, f32, not 0 if the gradients overflowed.
  void update(const engine::Tensor& not_finite);

  // All that the next update depends on: [2], f32. The first element is the scale.
  const engine::Tensor& state() const { return state_; }

 private:
  engine::Tensor state_;
};

}  // namespace pixpro
