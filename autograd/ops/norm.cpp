#include "engine/kernels/norm.h"

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {

using engine::on_device;

namespace {

// The statistics batch_norm normalises with: [views or 1, 2, C] f64.
Tensor batch_norm_moments(const Tensor& x, BatchNorm norm) {
  const int64_t channels = x.shape()[1];
  Tensor moments({norm.training ? norm.views : 1, 2, channels}, DType::f64, x.device());
  if (!norm.training) {
    const Tensor table = moments.reshape({2, channels});
    Tensor mean = table.rows(0, 1).reshape({channels}), var = table.rows(1, 1).reshape({channels});
    engine::copy_into(norm.running_mean, mean);
    engine::copy_into(norm.running_var, var);
    return moments;
  }
  const int64_t count = x.elements() / channels / norm.views;
  engine::require(count > 1, "batch_norm: training needs more than one value a channel and view, ",
                  "found x ", x, " in ", norm.views, " views");
  on_device(x.device(), [&](auto& ctx) {
    batch_norm_statistics(ctx, x, moments);
    batch_norm_update_running(ctx, moments, {.momentum = norm.momentum, .count = count},
                              norm.running_mean, norm.running_var);
  });
  return moments;
}

}  // namespace

Var batch_norm(Var x, const Var& residual, const BatchNorm& norm) {
  const Tensor moments = batch_norm_moments(x.value(), norm);
  const engine::BatchNormOptions options{.eps = norm.eps, .relu = norm.relu};
  const int64_t count =
      norm.training ? x.value().elements() / x.shape()[1] / norm.views : 0;  // 0: constant moments
  const bool in_place = Tape::current() == nullptr && x.value().uniquely_owned();
  Tensor y = in_place ? x.value() : empty_like(x.value());
  on_device(y.device(), [&](auto& ctx) {
    batch_norm_apply(ctx, x.value(), moments, norm.weight.value(), norm.bias.value(),
                     residual.value(), options, y);
  });
  // Every block's last output lives on as the next one's input; the others need not be kept.
  const bool keep_output = norm.relu && residual.defined();
  return record(
      "batch_norm", {x, norm.weight, norm.bias, residual}, y,
      save(x.value(), keep_output ? y : Tensor(), moments, norm.weight.value(), norm.bias.value()),
      [options, count](const Tensor& dy, const Needs& needs, const Tensor& input,
                       const Tensor& output, const Tensor& statistics, const Tensor& weight,
                       const Tensor& bias) -> Gradients {
        Tensor sums = empty_like(statistics);
        // Without relu the residual's gradient is dy itself. Otherwise dy is read here for the last
        // time, and dx may be written over it.
        const bool dy_goes_on = needs[3] && !options.relu;
        Tensor dx = dy.uniquely_owned() && !dy_goes_on ? dy : empty_like(input);
        Tensor dweight = empty_like(weight), dbias = empty_like(weight);
        Tensor dresidual = needs[3] && options.relu ? empty_like(input) : Tensor();
        on_device(dy.device(), [&](auto& ctx) {
          const engine::BatchNormInputs inputs{dy,     input, output, statistics,
                                               weight, bias,  options};
          batch_norm_backward_reduce(ctx, inputs, sums);
          batch_norm_parameter_gradients(ctx, sums, dweight, dbias);
          batch_norm_backward_apply(ctx, inputs, sums, count, dx, dresidual);
        });
        return {dx, dweight, dbias, dy_goes_on ? dy : dresidual};
      });
}

Var l2_normalize(const Var& x) {
  const engine::Planes planes = engine::planes_of(x.value());
  Tensor y = empty_like(x.value());
  Tensor norms({planes.n, planes.pixels}, y.dtype(), y.device());
  on_device(y.device(), [&](auto& ctx) { l2_normalize_forward(ctx, x.value(), y, norms); });
  return record(
      "l2_normalize", {x}, y, save(y, norms),
      [](const Tensor& dy, const Needs&, const Tensor& unit, const Tensor& lengths) -> Gradients {
        Tensor dx = empty_like(unit);
        on_device(dy.device(),
                  [&](auto& ctx) { l2_normalize_backward(ctx, dy, unit, lengths, dx); });
        return {dx};
      });
}

}  // namespace autograd
