// SGD with momentum, plain or with LARS' layer-wise rates. See engine/kernels/optimizer_update.h
// for the formulas.
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

// Under LARS one-dimensional parameters (BN, biases) take neither decay nor trust ratio; plain SGD
// decays all.
class Sgd {
 public:
  // Trains those of `parameters` that need a gradient. followers: moving averages, each under the
  // name of one of these.
  Sgd(const std::vector<NamedVar>& parameters, const SgdSettings& settings,
      const std::vector<NamedTensor>& followers = {});

  // One update of every parameter that has a gradient; clears the gradients. With `follow` all
  // followers move in the same pass. skip, gradient_scale, follow: see engine::SgdOptions.
  void step(double learning_rate, const Tensor& skip = {}, const Tensor& gradient_scale = {},
            std::optional<double> follow = {});

  // Moves the followers alone.
  void follow(double momentum);

  // The gradients that have arrived.
  std::vector<Tensor> gradients() const;

  // The momentum buffers under the names of their parameters; share the optimiser's memory.
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
