// Trainer: a model, its optimiser and schedules, and the training step they make together.
#pragma once

#include "layers/optim/schedule.h"
#include "layers/optim/sgd.h"
#include "pixpro/method/model.h"

namespace pixpro {

struct TrainerOptions {
  ModelOptions model{};
  layers::SgdSettings optimizer{};
  layers::Schedule schedule{};  // schedule.total_steps is also K of the branch momentum
  double branch_momentum = 0.99;
  int64_t accumulate = 1;  // micro-batches a step
  uint64_t seed = 0;
  // In which activations are stored and convolutions computed. bf16, f16: mixed precision on CUDA;
  // parameters, statistics, normalisation, loss and optimiser are f32 then.
  engine::DType precision = engine::DType::f32;
  engine::Device device = engine::kCpu;
};

// Signs of a collapse, which the loss alone does not show: a network that maps everything to one
// vector also reaches the lowest loss.
struct CollapseMeasures {
  double feature_std = 0.0;  // deviation of the normalised features over pixels and images, mean
                             // over channels: 0 when collapsed, 1/sqrt(C) when spread evenly
  double positives_per_image = 0.0;  // positive pixel pairs an image, of P * P
  double positive_similarity = 0.0;  // mean cosine of positive pairs
  double other_similarity = 0.0;     // mean cosine of all other pairs of the two views
};

struct StepResult {
  int64_t step = 0;  // optimiser steps done before this one
  double loss = 0.0;
  double learning_rate = 0.0;
  double momentum = 0.0;  // of the momentum branch
  CollapseMeasures collapse{};
};

class Trainer {
 public:
  explicit Trainer(const TrainerOptions& options);

  // One optimiser step. views: [2N,3,H,W], view 1 of all images, then view 2; boxes: [2N,4] in any
  // float type. N must divide into `accumulate` equal parts. A loss that is not a finite number
  // throws and leaves the weights as they were.
  StepResult step(const Tensor& views, const Tensor& boxes);

  // The two halves of step: fill the gradients (of a step already counted), then use them.
  StepResult compute_gradients(const Tensor& views, const Tensor& boxes);
  void apply_gradients();

  Model& model() { return model_; }
  int64_t steps_done() const { return steps_done_; }

 private:
  TrainerOptions options_;
  Init init_;
  Model model_;
  layers::Sgd optimizer_;
  int64_t steps_done_ = 0;
};

}  // namespace pixpro
