#include "engine/kernels/conv.h"

#include "autograd/ops.h"

namespace autograd {

using engine::on_device;

Var conv2d(const Var& x, const Var& weight, const Var& bias, const engine::Conv2dOptions& options) {
  const engine::Device device = x.value().device();
  const DType dtype = x.value().dtype();
  const Shape shape = engine::conv2d_output_shape(x.shape(), weight.shape(), options);
  Tensor y(shape, dtype, device, engine::activation_layout(device, dtype, shape[1]));
  on_device(device, [&](auto& ctx) {
    conv2d_forward(ctx, x.value(), weight.value(), bias.value(), options, y);
  });
  return record("conv2d", {x, weight, bias}, y, save(x.value(), weight.value()),
                [options](const Tensor& dy, const Needs& needs, const Tensor& image,
                          const Tensor& filter) -> Gradients {
                  Tensor dx = needs.gathered[0], dw, db;
                  const bool adds = dx.defined();
                  if (needs[0] && !adds) dx = empty_like(image);
                  if (needs[1]) dw = empty_like(filter);
                  if (needs[2]) {
                    db = Tensor({filter.shape()[0]}, engine::at_least_f32(filter.dtype()),
                                filter.device());
                  }
                  on_device(dy.device(), [&](auto& ctx) {
                    if (needs[0]) conv2d_backward_data(ctx, dy, filter, options, dx, adds);
                    if (needs[1]) conv2d_backward_weights(ctx, image, dy, options, dw, db);
                  });
                  return {dx, dw, db};
                });
}

}  // namespace autograd
