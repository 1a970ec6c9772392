#include "engine/kernels/norm.h"

#include "autograd/lockstep.h"
#include "autograd/ops.h"
#include "engine/ranks/communicator.h"
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

// The ranks, if there is more than one.
engine::Communicator* several(engine::Communicator* ranks) {
  return ranks != nullptr && ranks->size() > 1 ? ranks : nullptr;
}

engine::BatchNormCount count_of(int64_t count, const Tensor& of_ranks) {
  if (of_ranks.defined()) return of_ranks;
  return count;
}

// A training forward: writes y and the running estimates. Returns the statistics and, if the batch
// is spread over ranks, the count over all of them.
RankStatistics forward_in_training(const Tensor& x, const Tensor& residual, const BatchNorm& norm,
                                   int64_t count, engine::Communicator* ranks, Tensor& y) {
  const engine::BatchNormOptions options{.eps = norm.eps, .relu = norm.relu};
  const Tensor &weight = norm.weight.value(), &bias = norm.bias.value();
  Tensor mean = norm.running_mean, var = norm.running_var;
  RankStatistics found;
  if (ranks != nullptr) {
    found = statistics_of_ranks(x, norm.parts, *ranks);
  } else {
    found.statistics = Tensor({norm.parts, 2, x.shape()[1]}, DType::f64, x.device());
  }
  on_device(x.device(), [&](auto& ctx) {
    if (ranks != nullptr) {
      batch_norm_apply(ctx, x, found.statistics, weight, bias, residual, options, y);
    } else {
      batch_norm_forward(ctx, x, weight, bias, residual, options, found.statistics, y);
    }
    batch_norm_update_running(ctx, found.statistics,
                              {.momentum = norm.momentum, .count = count_of(count, found.count)},
                              mean, var);
  });
  return found;
}

struct BatchNormGradients {
  Tensor &dx, &dresidual, &dweight, &dbias;
};

void backward(const engine::BatchNormInputs& in, const engine::BatchNormCount& count,
              engine::Communicator* ranks, const BatchNormGradients& out) {
  Tensor sums = empty_like(in.statistics);
  on_device(in.x.device(), [&](auto& ctx) {
    if (ranks == nullptr) {
      batch_norm_backward(ctx, in, count, sums, out.dx, out.dresidual);
    } else {
      batch_norm_backward_sums(ctx, in, sums);
    }
    // From the sums of this rank's images: what ranks add up are the gradients of parameters.
    batch_norm_parameter_gradients(ctx, sums, out.dweight, out.dbias);
    if (ranks == nullptr) return;
    ranks->all_reduce(sums);
    batch_norm_backward_apply(ctx, in, count, sums, out.dx, out.dresidual);
  });
}

}  // namespace

Var batch_norm(Var x, const Var& residual, const BatchNorm& norm) {
  const Tensor& in = x.value();
  const engine::BatchNormOptions options{.eps = norm.eps, .relu = norm.relu};
  engine::Communicator* const ranks = norm.training ? several(norm.ranks) : nullptr;
  // Values per channel and part; 0 tells backward that the statistics are constants.
  const int64_t count = norm.training ? in.elements() / in.shape()[1] / norm.parts : 0;
  engine::require(!norm.training || count > 1 || ranks != nullptr,
                  "batch_norm: training needs more than one value per ",
                  "channel and part, found x ", in, " in ", norm.parts, " parts");
  const bool in_place = Tape::current() == nullptr && in.uniquely_owned();
  Tensor y = in_place ? in : empty_like(in);
  RankStatistics used;
  if (norm.training) {
    used = forward_in_training(in, residual.value(), norm, count, ranks, y);
  } else {
    used.statistics = running_statistics(norm);
    on_device(y.device(), [&](auto& ctx) {
      batch_norm_apply(ctx, in, used.statistics, norm.weight.value(), norm.bias.value(),
                       residual.value(), options, y);
    });
  }
  // Backward finds out where ReLU was open from the output, if it is kept, or from the input. The
  // output of a whole block stays in memory anyway as the next block's input, so keeping it is
  // free.
  const bool keep_output = norm.relu && residual.defined();
  return record(
      "batch_norm", {x, norm.weight, norm.bias, residual}, y,
      save(x.value(), keep_output ? y : Tensor(), used.statistics, norm.weight.value(),
           norm.bias.value(), used.count),
      [options, count, ranks](const Tensor& dy, const GradientRequests& requests,
                              const Tensor& input, const Tensor& output, const Tensor& statistics,
                              const Tensor& weight, const Tensor& bias,
                              const Tensor& count_of_ranks) -> Gradients {
        // input and dy are read for the last time here, so gradients are written over them if
        // nobody else holds them. A write to memory that is already in the cache needs no fetch.
        // Without relu the residual's gradient is dy itself.
        const auto over = [](const Tensor& t) { return t.uniquely_owned() ? t : empty_like(t); };
        const bool passes_dy_on = requests[3].wanted && !options.relu;
        Tensor dresidual = requests[3].wanted && options.relu ? over(dy) : Tensor();
        Tensor dx = over(passes_dy_on || dresidual.defined() ? input : dy);
        Tensor dweight = empty_like(weight), dbias = empty_like(weight);
        const engine::BatchNormInputs inputs{dy, input, output, statistics, weight, bias, options};
        backward(inputs, count_of(count, count_of_ranks), ranks, {dx, dresidual, dweight, dbias});
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
