#include "engine/kernels/norm.h"

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {

using engine::on_device;

namespace {

// What batch_norm normalises with in evaluation: the running estimates, as [1, 2, C] f64.
Tensor running_statistics(const BatchNorm& norm) {
  const int64_t channels = norm.running_mean.shape()[0];
  Tensor table({2, channels}, DType::f64, norm.running_mean.device());
  Tensor mean = table.rows(0, 1).reshape({channels}), var = table.rows(1, 1).reshape({channels});
  engine::copy_into(norm.running_mean, mean);
  engine::copy_into(norm.running_var, var);
  return table.reshape({1, 2, channels});
}

}  // namespace

Var batch_norm(Var x, const Var& residual, const BatchNorm& norm) {
  const Tensor& in = x.value();
  const engine::BatchNormOptions options{.eps = norm.eps, .relu = norm.relu};
  // Values a channel and part; 0: the statistics are constants.
  const int64_t count = norm.training ? in.elements() / in.shape()[1] / norm.parts : 0;
  engine::require(!norm.training || count > 1, "batch_norm: training needs more than one value a ",
                  "channel and part, found x ", in, " in ", norm.parts, " parts");
  Tensor moments = norm.training ? Tensor({norm.parts, 2, in.shape()[1]}, DType::f64, in.device())
                                 : running_statistics(norm);
  const bool in_place = Tape::current() == nullptr && in.uniquely_owned();
  Tensor y = in_place ? in : empty_like(in);
  on_device(y.device(), [&](auto& ctx) {
    if (!norm.training) {
      return batch_norm_apply(ctx, in, moments, norm.weight.value(), norm.bias.value(),
                              residual.value(), options, y);
    }
    batch_norm_forward(ctx, in, norm.weight.value(), norm.bias.value(), residual.value(), options,
                       moments, y);
    Tensor mean = norm.running_mean, var = norm.running_var;
    batch_norm_update_running(ctx, moments, {.momentum = norm.momentum, .count = count}, mean, var);
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
        // Here input and dy are read for the last time, and gradients may be written over them:
        // what is written where something lies in the cache need not be fetched first. Without relu
        // the residual's gradient is dy itself.
        const auto over = [](const Tensor& t) { return t.uniquely_owned() ? t : empty_like(t); };
        const bool dy_goes_on = needs[3] && !options.relu;
        Tensor dresidual = needs[3] && options.relu ? over(dy) : Tensor();
        Tensor dx = over(dy_goes_on || dresidual.defined() ? input : dy);
        Tensor dweight = empty_like(weight), dbias = empty_like(weight);
        on_device(dy.device(), [&](auto& ctx) {
          const engine::BatchNormInputs inputs{dy,     input, output, statistics,
                                               weight, bias,  options};
          batch_norm_backward(ctx, inputs, count, sums, dx, dresidual);
          batch_norm_parameter_gradients(ctx, sums, dweight, dbias);
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
