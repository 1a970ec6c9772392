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
                [options](const Tensor& dy, const GradientRequests& requests, const Tensor& image,
                          const Tensor& filter) -> Gradients {
                  Tensor dx = requests[0].add_to, dw, db;
                  const bool add = dx.defined();
                  if (requests[0].wanted && !add) dx = empty_like(image);
                  if (requests[1].wanted) dw = empty_like(filter);
                  if (requests[2].wanted) {
                    db = Tensor({filter.shape()[0]}, engine::at_least_f32(filter.dtype()),
                                filter.device());
                  }
                  on_device(dy.device(), [&](auto& ctx) {
                    if (dx.defined()) conv2d_backward_data(ctx, dy, filter, options, dx, add);
                    if (dw.defined()) conv2d_backward_weights(ctx, image, dy, options, dw, db);
                  });
                  return {dx, dw, db};
                });
}

}  // namespace autograd
