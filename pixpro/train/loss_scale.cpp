#include "pixpro/train/loss_scale.h"

#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::Tensor;

constexpr engine::LossScaling kLossScaling;

}  // namespace

LossScale::LossScale(engine::DType precision, engine::Device device) {
  if (precision != engine::DType::f16) return;
  state_ = engine::zeros({2}, engine::DType::f32, device);
  Tensor scale = factor();
  engine::on_device(device, [&](auto& ctx) { fill(ctx, scale, kLossScaling.initial); });
}

Tensor LossScale::gradient_of(const Tensor& loss, double share) const {
  if (!state_.defined()) return engine::full({}, share, loss.dtype(), loss.device());
  Tensor gradient({1}, loss.dtype(), loss.device());
  engine::on_device(loss.device(), [&](auto& ctx) { scale(ctx, factor(), share, gradient); });
  return gradient.reshape({});
}

Tensor LossScale::factor() const { return state_.defined() ? state_.rows(0, 1) : Tensor(); }

void LossScale::update(const Tensor& not_finite) {
  if (!state_.defined()) return;
  engine::on_device(state_.device(),
                    [&](auto& ctx) { update_loss_scale(ctx, not_finite, kLossScaling, state_); });
}

}  // namespace pixpro
