#include "engine/kernels/pointwise.h"

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {

using engine::converted;
using engine::on_device;

Var relu(const Var& x) {
  Tensor y = empty_like(x.value());
  on_device(y.device(), [&](auto& ctx) { relu_forward(ctx, x.value(), y); });
  return record("relu", {x}, y, save(y), [](const Tensor& dy, const Tensor& output) -> Gradients {
    Tensor dx = empty_like(dy);
    on_device(dy.device(), [&](auto& ctx) { relu_backward(ctx, dy, output, dx); });
    return {dx};
  });
}

Var add(const Var& a, const Var& b) {
  Tensor y = empty_like(a.value());
  on_device(y.device(), [&](auto& ctx) { engine::add(ctx, a.value(), b.value(), y); });
  return record("add", {a, b}, y, save(), [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Var scale(const Var& x, double factor) {
  Tensor y = empty_like(x.value());
  on_device(y.device(), [&](auto& ctx) { engine::scale(ctx, x.value(), factor, y); });
  return record("scale", {x}, y, save(), [factor](const Tensor& dy) -> Gradients {
    Tensor dx = empty_like(dy);
    on_device(dy.device(), [&](auto& ctx) { engine::scale(ctx, dy, factor, dx); });
    return {dx};
  });
}

Var clamp_power(const Var& x, const engine::ClampPower& options) {
  Tensor y = empty_like(x.value());
  on_device(y.device(), [&](auto& ctx) { clamp_power_forward(ctx, x.value(), options, y); });
  return record("clamp_power", {x}, y, save(x.value()),
                [options](const Tensor& dy, const Tensor& input) -> Gradients {
                  Tensor dx = empty_like(dy);
                  on_device(dy.device(),
                            [&](auto& ctx) { clamp_power_backward(ctx, dy, input, options, dx); });
                  return {dx};
                });
}

Var flatten_pixels(const Var& x) {
  const Shape shape = x.shape();
  engine::require(shape.axes() == 4, "flatten_pixels: expected [N,C,H,W], found ", shape);
  Tensor y = converted(x.value(), engine::at_least_f32(x.value().dtype()), Layout::plain);
  return record("flatten_pixels", {x}, y.reshape({shape[0], shape[1], shape[2] * shape[3]}), save(),
                [shape, from = x.value().dtype(), layout = x.value().layout()](const Tensor& dy)
                    -> Gradients { return {converted(dy.reshape(shape), from, layout)}; });
}

Var cast(const Var& x, DType dtype) {
  if (x.value().dtype() == dtype) return x;
  return record(
      "cast", {x}, to_dtype(x.value(), dtype), save(),
      [from = x.value().dtype()](const Tensor& dy) -> Gradients { return {to_dtype(dy, from)}; });
}

}  // namespace autograd
