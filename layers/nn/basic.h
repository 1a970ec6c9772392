// The layers a network is made of. Activations are [N,C,H,W] in any layout.
#pragma once

#include <utility>

#include "layers/module.h"
#include "layers/nn/init.h"

namespace layers {

// Initial values of a convolution's parameters. backbone: weights N(0, sqrt(2 / (k k out))). head:
// weight and bias uniform within +- 1 / sqrt(fan_in), PyTorch's default.
enum class ConvInit { backbone, head };

struct Conv2dSettings {
  int64_t in = 0, out = 0;  // channels
  int64_t kernel = 1;
  engine::Conv2dOptions options{};
  bool bias = false;
  ConvInit init = ConvInit::backbone;
};

class Conv2d : public Module {
 public:
  // Throws unless the groups divide both numbers of channels.
  Conv2d(const Conv2dSettings& settings, Init& init);
  // Computes in the type of x; in mixed precision the weight is rounded to it.
  Var forward(const Var& x) const;

 private:
  engine::Conv2dOptions options_;
  Var weight_, bias_;
};

class BatchNorm2d : public Module {
 public:
  BatchNorm2d(int64_t channels, Init& init, double weight = 1.0);

  struct Fused {
    Var residual{};  // added before the ReLU; optional
    bool relu = false;
  };
  // In training this updates the running estimates. If x is moved in, its memory may be reused for
  // the result, see autograd::batch_norm.
  Var forward(Var x, const Mode& mode, const Fused& fused);
  Var forward(Var x, const Mode& mode) { return forward(std::move(x), mode, {}); }

 private:
  Var weight_, bias_;
  Tensor running_mean_, running_var_;
  // i64, on the CPU whatever the device: how many batches (or parts of batches, see Mode) have
  // updated the running estimates.
  Tensor batches_;
};

// y = x weight^T + bias. x: [N, in] -> [N, out].
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, Init& init);
  Var forward(const Var& x) const;

 private:
  Var weight_, bias_;
};

}  // namespace layers
