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
                [options](const Tensor& dc, const Needs& needs, const Tensor& left,
                          const Tensor& right) -> Gradients {
                  const auto [ta, tb] = options;
                  Tensor da, db;
                  // c = op(a) op(b): d op(a) = dc op(b)^T and d op(b) = op(a)^T dc, transposed back
                  // for a, b.
                  if (needs[0])
                    da = ta ? product(right, dc, {tb, true}) : product(dc, right, {false, !tb});
                  if (needs[1])
                    db = tb ? product(dc, left, {true, ta}) : product(left, dc, {!ta, false});
                  return {da, db};
                });
}

Var linear(const Var& x, const Var& weight, const Var& bias) {
  Tensor y = product(x.value(), weight.value(), {.transpose_b = true});
  if (bias.defined()) {
    on_device(y.device(), [&](auto& ctx) { add_bias(ctx, y, bias.value(), y); });
  }
  return record("linear", {x, weight, bias}, y, save(x.value(), weight.value()),
                [](const Tensor& dy, const Needs& needs, const Tensor& input,
                   const Tensor& matrix) -> Gradients {
                  Tensor dx, dw, db;
                  if (needs[0]) dx = product(dy, matrix, {});
                  if (needs[1]) dw = product(dy, input, {.transpose_a = true});
                  if (needs[2]) {
                    db = Tensor({dy.shape()[1]}, dy.dtype(), dy.device());
                    on_device(dy.device(), [&](auto& ctx) { add_bias_backward(ctx, dy, db); });
                  }
                  return {dx, dw, db};
                });
}

}  // namespace autograd
