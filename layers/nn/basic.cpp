#include "layers/nn/basic.h"

#include <cmath>

#include "engine/tensor_ops.h"

namespace layers {

Conv2d::Conv2d(const Conv2dSettings& s, Init& init) : options_(s.options) {
  engine::require(s.in % options_.groups == 0 && s.out % options_.groups == 0, "Conv2d: channels ",
                  s.in, " -> ", s.out, " are not divisible by ", options_.groups, " groups");
  const Shape shape{s.out, s.in / options_.groups, s.kernel, s.kernel};
  const double taps = static_cast<double>(s.kernel * s.kernel);
  const double bound = 1.0 / std::sqrt(taps * static_cast<double>(shape[1]));
  const double deviation = std::sqrt(2.0 / (taps * static_cast<double>(s.out)));
  weight_ = add_parameter("weight", s.init == ConvInit::head ? init.uniform(shape, bound)
                                                             : init.normal(shape, deviation));
  if (s.bias) bias_ = add_parameter("bias", init.uniform({s.out}, bound));
}

Var Conv2d::forward(const Var& x) const {
  return conv2d(x, cast(weight_, x.value().dtype()), bias_, options_);
}

BatchNorm2d::BatchNorm2d(int64_t channels, Init& init, double weight)
    : weight_(add_parameter("weight", init.constant({channels}, weight))),
      bias_(add_parameter("bias", init.constant({channels}, 0.0))),
      running_mean_(add_buffer("running_mean", init.constant({channels}, 0.0))),
      running_var_(add_buffer("running_var", init.constant({channels}, 1.0))),
      batches_(add_buffer("num_batches_tracked", engine::zeros({}, DType::i64))) {}

Var BatchNorm2d::forward(Var x, const Mode& mode, const Fused& fused) {
  if (mode.training) *batches_.data<int64_t>() += mode.parts;
  return batch_norm(std::move(x), fused.residual,
                    {.weight = weight_,
                     .bias = bias_,
                     .running_mean = running_mean_,
                     .running_var = running_var_,
                     .training = mode.training,
                     .parts = mode.parts,
                     .relu = fused.relu,
                     .ranks = mode.ranks});
}

Linear::Linear(int64_t in, int64_t out, Init& init) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  weight_ = add_parameter("weight", init.uniform({out, in}, bound));
  bias_ = add_parameter("bias", init.uniform({out}, bound));
}

Var Linear::forward(const Var& x) const { return linear(x, weight_, bias_); }

}  // namespace layers
