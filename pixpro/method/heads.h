// The parts of the method that are not the backbone.
#pragma once

#include <memory>

#include "layers/nn/basic.h"

namespace pixpro {

using autograd::Var;
using engine::Tensor;
using layers::Init;
using layers::Mode;

// conv1x1 - BN - ReLU - conv1x1, both convolutions with bias. Projectors and predictor have this
// form.
class Mlp : public layers::Module {
 public:
  Mlp(int64_t in, int64_t hidden, int64_t out, Init& init);
  Var forward(const Var& x, const Mode& mode);

 private:
  layers::Conv2d linear1_;
  layers::BatchNorm2d bn1_;
  layers::Conv2d linear2_;
};

struct PropagationOptions {
  double power = 2.0;        // p
  double clamp = 0.0;        // smaller similarities are raised to this
  int transform_layers = 1;  // of the value transform g: 0 (identity), 1 (conv1x1) or 2 (Mlp)
};

// The pixel propagation module (equation 3 of the paper):
//   y_i = sum_j max(cos(x_i, x_j), clamp)^p g(x_j) / |g(x_j)|
// For p < 1, 1e-6 is added before the power is taken, because its slope is unbounded at 0.
class Propagation : public layers::Module {
 public:
  // Throws on other layer counts, and on a negative clamp with a fractional power, which would give
  // NaN.
  Propagation(int64_t channels, const PropagationOptions& options, Init& init);
  // [N,C,H,W] -> [N,C,H*W]
  Var forward(const Var& x, const Mode& mode);

 private:
  Var transform(const Var& x, const Mode& mode);

  PropagationOptions options_;
  std::unique_ptr<layers::Conv2d> linear_;
  std::unique_ptr<Mlp> mlp_;
};

}  // namespace pixpro
