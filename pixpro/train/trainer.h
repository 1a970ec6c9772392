// Trainer: a model, its optimiser and schedules, and the training step they make together.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "engine/files/tensor_file.h"
#include "engine/kernels/loss_scale.h"
#include "engine/transfers.h"
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

// Views as a network made with these options takes them: on its device, in its type and layout.
Tensor network_input(const Tensor& views, const TrainerOptions& options);

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
  bool skipped = false;     // gradients were not finite: the weights were left as they were
  double loss_scale = 1.0;  // what the loss was multiplied with on its way back (f16)
};

class Trainer {
 public:
  explicit Trainer(const TrainerOptions& options);

  // One optimiser step: start_step and finish_step.
  StepResult step(const Tensor& views, const Tensor& boxes);

  // Starts an optimiser step; a CUDA device goes on computing when it returns. views: [2N,3,H,W],
  // view 1 of all images, then view 2, on the host or the trainer's device; boxes: [2N,4] in any
  // float type, on the host. N must divide into `accumulate` equal parts. At most two steps may be
  // started and not finished.
  void start_step(const Tensor& views, const Tensor& boxes);
  // The numbers of the oldest step that was started and not finished; waits for them. A step with a
  // loss or gradient that is not a finite number has left the weights as they were; throws then,
  // except with f16, which only says so, as its loss scale is still being found.
  StepResult finish_step();

  // The two halves of a step: fill the gradients (of a step already counted; with f16 they are
  // loss_scale times too large), then use them.
  StepResult compute_gradients(const Tensor& views, const Tensor& boxes);
  void apply_gradients();

  // The model as all started steps have left it. Handles on its tensors show a later step only
  // when model() or state() has been called again.
  Model& model();
  int64_t steps_done() const { return steps_done_; }  // started ones are counted

  // All that the next step depends on beside the options: parameters and buffers under their
  // published names, their momentum as "optimizer.<name>", "steps_done" and, with f16,
  // "loss_scale". Shares the trainer's memory. Every started step must be finished.
  engine::TensorFile state();
  // Goes on where a trainer of the same options had this state, with the same bits. Throws, and
  // changes nothing, where the file is no such state.
  void load_state(const engine::TensorFile& file);

 private:
  // A step whose numbers are on their way.
  struct Pending {
    std::unique_ptr<engine::Readback> numbers;
    StepResult result{};  // what is known beforehand
    int64_t pixels = 0;   // of a feature map
  };

  std::vector<layers::NamedTensor> changing_tensors();
  void settle(std::optional<double> branch_momentum = {});
  void queue_gradients(const Tensor& views, const Tensor& boxes);
  Tensor loss_gradient(const Tensor& loss) const;

  TrainerOptions options_;
  Init init_;
  Model model_;
  layers::Sgd optimizer_;
  int64_t steps_done_ = 0;

  std::unique_ptr<engine::Upload> upload_;
  std::array<Pending, 2> pending_;
  int64_t started_ = 0, finished_ = 0;  // steps
  // All f32, on the device. Of the last step: 1 where its loss or gradients were not finite.
  Tensor not_finite_;
  Tensor loss_scale_;  // [2], see engine::update_loss_scale; undefined where the loss is not scaled
  std::optional<double> due_;  // learning rate of an update that has not been made yet, see settle
};

}  // namespace pixpro
