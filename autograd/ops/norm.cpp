#include "engine/kernels/norm.h"

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {

using engine::on_device;

namespace {

// The statistics that batch_norm uses in evaluation: the running estimates as [1, 2, C] f64.
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
  // Values per channel and part; 0 tells backward that the statistics are constants.
  const int64_t count = norm.training ? in.elements() / in.shape()[1] / norm.parts : 0;
  engine::require(!norm.training || count > 1,
                  "batch_norm: training needs more than one value per ",
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
  // Backward finds out where ReLU was open from the output, if it is kept, or from the input. The
  // output of a whole block stays in memory anyway as the next block's input, so keeping it is
  // free.
  const bool keep_output = norm.relu && residual.defined();
  return record(
      "batch_norm", {x, norm.weight, norm.bias, residual}, y,
      save(x.value(), keep_output ? y : Tensor(), moments, norm.weight.value(), norm.bias.value()),
      [options, count](const Tensor& dy, const GradientRequests& requests, const Tensor& input,
                       const Tensor& output, const Tensor& statistics, const Tensor& weight,
                       const Tensor& bias) -> Gradients {
        Tensor sums = empty_like(statistics);
        // input and dy are read for the last time here, so gradients are written over them if
        // nobody else holds them. A write to memory that is already in the cache needs no fetch.
        // Without relu the residual's gradient is dy itself.
        const auto over = [](const Tensor& t) { return t.uniquely_owned() ? t : empty_like(t); };
        const bool passes_dy_on = requests[3].wanted && !options.relu;
        Tensor dresidual = requests[3].wanted && options.relu ? over(dy) : Tensor();
        Tensor dx = over(passes_dy_on || dresidual.defined() ? input : dy);
        Tensor dweight = empty_like(weight), dbias = empty_like(weight);
        on_device(dy.device(), [&](auto& ctx) {
          const engine::BatchNormInputs inputs{dy,     input, output, statistics,
                                               weight, bias,  options};
          batch_norm_backward(ctx, inputs, count, sums, dx, dresidual);
          batch_norm_parameter_gradients(ctx, sums, dweight, dbias);
        });
        return {dx, dweight, dbias, passes_dy_on ? dy : dresidual};
      });
}

Var l2_normalize(const Var& x) {
  const engine::Planes planes = engine::planes_of(x.value());
  Tensor y = empty_like(x.value());
  Tensor norms({planes.n, planes.pixels}, y.dtype(), y.device());
  on_device(y.device(), [&](auto& ctx) { l2_normalize_forward(ctx, x.value(), y, norms); });
  return record("l2_normalize", {x}, y, save(y, norms),
                [](const Tensor& dy, const Tensor& unit, const Tensor& lengths) -> Gradients {
                  Tensor dx = empty_like(unit);
                  on_device(dy.device(),
                            [&](auto& ctx) { l2_normalize_backward(ctx, dy, unit, lengths, dx); });
                  return {dx};
                });
}

}  // namespace autograd
