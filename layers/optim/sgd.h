// SGD with momentum, optionally with the layer-wise rates of LARS. For the formulas see
// engine/kernels/optimizer_update.h.
#pragma once

#include <optional>
#include <vector>

#include "engine/kernels/optimizer_update.h"
#include "layers/module.h"

namespace layers {

struct SgdSettings {
  bool lars = true;
  double momentum = 0.9;
  double weight_decay = 1e-5;
  double trust = 1e-3;  // LARS
  double eps = 1e-8;    // LARS
};

// With LARS, one-dimensional parameters (BN, biases) get neither weight decay nor a trust ratio.
// Without it, every parameter gets weight decay.
class Sgd {
 public:
  // Trains the parameters that need a gradient. A follower is a moving average of the trained
  // parameter of the same name; throws if there is no such parameter.
  Sgd(const std::vector<NamedVar>& parameters, const SgdSettings& settings,
      const std::vector<NamedTensor>& followers = {});

  // Updates every parameter that has a gradient once, and clears the gradients. If `follow` is
  // given, the followers are updated in the same pass, with it as their momentum. skip,
  // gradient_scale: see engine::SgdOptions.
  void step(double learning_rate, const Tensor& skip = {}, const Tensor& gradient_scale = {},
            std::optional<double> follow = {});

  // Updates the followers only.
  void follow(double momentum);

  // The gradients of the trained parameters that have one.
  std::vector<Tensor> gradients() const;

  // The momentum buffers under the names of their parameters. Shares the optimiser's memory.
  std::vector<NamedTensor> momentum() const;

 private:
  struct Entry {
    std::string name;
    Var parameter;
    Tensor momentum;
    Tensor follower{};
  };
  SgdSettings settings_;
  std::vector<Entry> entries_;
};

}  // namespace layers
