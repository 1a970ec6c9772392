#include "engine/kernels/matmul.h"

#include "autograd/ops.h"

namespace autograd {

using engine::MatmulOptions;
using engine::on_device;

namespace {

Tensor product(const Tensor& a, const Tensor& b, MatmulOptions options) {
  Tensor c(matmul_output_shape(a.shape(), b.shape(), options), a.dtype(), a.device());
  on_device(c.device(), [&](auto& ctx) { engine::matmul(ctx, a, b, options, c); });
  return c;
}

}  // namespace

Var matmul(const Var& a, const Var& b, MatmulOptions options) {
  Tensor c = product(a.value(), b.value(), options);
  return record("matmul", {a, b}, c, save(a.value(), b.value()),
                [options](const Tensor& dc, const GradientRequests& requests, const Tensor& left,
                          const Tensor& right) -> Gradients {
                  const auto [ta, tb] = options;
                  Tensor da, db;
                  // For c = op(a) op(b): d op(a) = dc op(b)^T and d op(b) = op(a)^T dc. If op
                  // transposes, its gradient must be transposed too.
                  if (requests[0].wanted) {
                    da = ta ? product(right, dc, {tb, true}) : product(dc, right, {false, !tb});
                  }
                  if (requests[1].wanted) {
                    db = tb ? product(dc, left, {true, ta}) : product(left, dc, {!ta, false});
                  }
                  return {da, db};
                });
}

Var linear(const Var& x, const Var& weight, const Var& bias) {
  Tensor y = product(x.value(), weight.value(), {.transpose_b = true});
  if (bias.defined()) {
    on_device(y.device(), [&](auto& ctx) { add_bias(ctx, y, bias.value(), y); });
  }
  return record("linear", {x, weight, bias}, y, save(x.value(), weight.value()),
                [](const Tensor& dy, const GradientRequests& requests, const Tensor& input,
                   const Tensor& matrix) -> Gradients {
                  Tensor dx, dw, db;
                  if (requests[0].wanted) dx = product(dy, matrix, {});
                  if (requests[1].wanted) dw = product(dy, input, {.transpose_a = true});
                  if (requests[2].wanted) {
                    db = Tensor({dy.shape()[1]}, dy.dtype(), dy.device());
                    on_device(dy.device(), [&](auto& ctx) { add_bias_backward(ctx, dy, db); });
                  }
                  return {dx, dw, db};
                });
}

}  // namespace autograd
