#include "engine/kernels/pool.h"

#include "autograd/ops.h"

namespace autograd {

using engine::on_device;

Var max_pool2d(const Var& x, engine::PoolOptions options) {
  const Tensor& input = x.value();
  const Shape shape = max_pool2d_output_shape(input.shape(), options);
  Tensor y(shape, input.dtype(), input.device(), input.layout());
  Tensor winner(shape, DType::u8, input.device(), input.layout());
  on_device(y.device(), [&](auto& ctx) { max_pool2d_forward(ctx, input, options, y, winner); });
  return record(
      "max_pool2d", {x}, y, save(winner),
      [options, from = input.shape()](const Tensor& dy, const Tensor& places) -> Gradients {
        Tensor dx(from, dy.dtype(), dy.device(), dy.layout());
        on_device(dy.device(),
                  [&](auto& ctx) { max_pool2d_backward(ctx, dy, places, options, dx); });
        return {dx};
      });
}

Var global_average_pool(const Var& x) {
  const Tensor& input = x.value();
  engine::require(input.shape().axes() == 4, "global_average_pool: expected [N,C,H,W], found ",
                  input.shape());
  Tensor y({input.shape()[0], input.shape()[1]}, input.dtype(), input.device());
  on_device(y.device(), [&](auto& ctx) { global_average_pool_forward(ctx, input, y); });
  return record("global_average_pool", {x}, y, save(),
                [from = input.shape(), layout = input.layout()](const Tensor& dy) -> Gradients {
                  Tensor dx(from, dy.dtype(), dy.device(), layout);
                  on_device(dy.device(),
                            [&](auto& ctx) { global_average_pool_backward(ctx, dy, dx); });
                  return {dx};
                });
}

}  // namespace autograd
