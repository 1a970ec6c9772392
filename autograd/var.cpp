#include "autograd/var.h"

#include "engine/kernels/pointwise.h"

namespace autograd {

using engine::require;

void GradSlot::accumulate(const Tensor& gradient) {
  require(gradient.defined() && gradient.shape() == shape && gradient.dtype() == dtype &&
              gradient.layout() == layout,
          "tape: expected a gradient for ", dtype, ' ', shape, ' ', layout, ", found ", gradient);
  if (!grad.defined()) {
    grad = gradient;
    return;
  }
  Tensor sum = grad.uniquely_owned() ? grad : engine::empty_like(grad);
  engine::on_device(sum.device(), [&](auto& ctx) { engine::add(ctx, grad, gradient, sum); });
  grad = sum;
}

Var::Var(Tensor value) : value_(std::move(value)), slot_(std::make_shared<GradSlot>()) {
  slot_->shape = value_.shape();
  slot_->dtype = value_.dtype();
  slot_->layout = value_.layout();
}

Var Var::leaf(Tensor value) {
  Var leaf(std::move(value));
  leaf.slot_->needs_grad = true;
  return leaf;
}

}  // namespace autograd
