#include "pixpro/method/heads.h"

#include <cmath>

namespace pixpro {
namespace {

layers::Conv2dSettings conv1x1(int64_t in, int64_t out) {
  return {.in = in, .out = out, .bias = true, .init = layers::ConvInit::head};
}

}  // namespace

Mlp::Mlp(int64_t in, int64_t hidden, int64_t out, Init& init)
    : linear1_(conv1x1(in, hidden), init),
      bn1_(hidden, init),
      linear2_(conv1x1(hidden, out), init) {
  add_child("linear1", linear1_);
  add_child("bn1", bn1_);
  add_child("linear2", linear2_);
}

Var Mlp::forward(const Var& x, const Mode& mode) {
  return linear2_.forward(bn1_.forward(linear1_.forward(x), mode, {.relu = true}));
}

Propagation::Propagation(int64_t channels, const PropagationOptions& options, Init& init)
    : options_(options) {
  engine::require(options.transform_layers >= 0 && options.transform_layers <= 2,
                  "propagation: expected 0, 1 or 2 transform layers, found ",
                  options.transform_layers);
  engine::require(std::isfinite(options.power) && std::isfinite(options.clamp),
                  "propagation: power and clamp must be finite numbers");
  engine::require(options.clamp >= 0.0 || options.power == std::floor(options.power),
                  "propagation: a clamp below 0 (", options.clamp,
                  ") needs a whole number as power, found ", options.power,
                  "; a negative similarity has no fractional power");
  // In the published names the convolution or the parts of the Mlp are directly below
  // value_transform.
  if (options.transform_layers == 1) {
    linear_ = std::make_unique<layers::Conv2d>(conv1x1(channels, channels), init);
    add_child("", *linear_);
  } else if (options.transform_layers == 2) {
    mlp_ = std::make_unique<Mlp>(channels, channels, channels, init);
    add_child("", *mlp_);
  }
}

Var Propagation::transform(const Var& x, const Mode& mode) {
  if (linear_) return linear_->forward(x);
  return mlp_ ? mlp_->forward(x, mode) : x;
}

Var Propagation::forward(const Var& x, const Mode& mode) {
  const Var value = l2_normalize(flatten_pixels(transform(x, mode)));
  const Var unit = l2_normalize(flatten_pixels(x));
  const Var cosine = matmul(unit, unit, {.transpose_a = true});  // [N,P,P]
  const Var weight = clamp_power(
      cosine,
      {.low = options_.clamp, .power = options_.power, .shift = options_.power < 1.0 ? 1e-6 : 0.0});
  return matmul(value, weight, {.transpose_b = true});
}

}  // namespace pixpro
