// Trainer: a model, its optimiser and schedules, and the training step they make together.
#pragma once

#include <memory>
#include <optional>

#include "autograd/reducer.h"
#include "engine/files/tensor_file.h"
#include "engine/transfers.h"
#include "layers/optim/schedule.h"
#include "layers/optim/sgd.h"
#include "pixpro/method/model.h"
#include "pixpro/train/deferred_update.h"
#include "pixpro/train/lanes.h"
#include "pixpro/train/loss_scale.h"
#include "pixpro/train/running_estimates.h"
#include "pixpro/train/shared_error.h"
#include "pixpro/train/step_input.h"

namespace pixpro {

struct TrainerOptions {
  ModelOptions model{};
  layers::SgdSettings optimizer{};
  layers::Schedule schedule{};
  double encoder_momentum = 0.99;  // first momentum of the momentum encoder
  int64_t accumulate = 1;          // gradient accumulation: micro-batches per step
  uint64_t seed = 0;
  // The type in which activations are stored and convolutions computed. bf16 and f16 mean mixed
  // precision on CUDA: parameters, statistics, normalisation, loss and optimiser remain f32.
  engine::DType precision = engine::DType::f32;
  engine::Device device = engine::kCpu;
  // The ranks that train together, each on its images of every step; null if there is one. With
  // kLanes lanes, and outlives the trainer.
  engine::Communicator* ranks = nullptr;
  bool sync_batch_norm = true;  // statistics of all ranks' images instead of each rank's own
  autograd::ReducerOptions buckets{};
};

// The views in the form that a network made with these options takes: on its device, in its type
// and layout.
Tensor network_input(const Tensor& views, const TrainerOptions& options);

// Thrown for a step whose loss or gradients are not finite. The step is done; see finish_step.
class NotFinite : public SharedError {
 public:
  NotFinite(const engine::Error& error, const StepResult& step)
      : SharedError(error.what()), step_(step) {}
  const StepResult& step() const { return step_; }

 private:
  StepResult step_;
};

class Trainer {
 public:
  // With several ranks, all of them do this together, as everything else. Rank 0 gives the others
  // its initial weights.
  explicit Trainer(const TrainerOptions& options);

  // One optimiser step: start_step and finish_step.
  StepResult step(const StepInput& input);

  // Starts an optimiser step. A CUDA device is still computing when this returns. N must be
  // divisible by `accumulate`. At most two steps may be started and not finished.
  void start_step(const StepInput& input);
  // The numbers of the oldest step that has been started and not finished; waits for them. A step
  // whose loss or gradients are not finite leaves parameters and buffers as they were. In f16 the
  // result says so, because it is part of finding the loss scale; otherwise this throws NotFinite.
  StepResult finish_step();

  // The two halves of a step, for callers that look at the gradients in between. The first leaves
  // the gradients in the parameters; in f16 they are loss_scale times too large. The second uses
  // them, and from then on the step counts as done.
  StepResult compute_gradients(const StepInput& input);
  void update();

  // The model after all steps that have been started. A handle on one of its tensors shows a later
  // step only after another call of model() or state(): see DeferredUpdate.
  Model& model();
  int64_t steps_done() const { return steps_done_; }  // including those that are not finished
  int64_t total_steps() const { return options_.schedule.total_steps; }
  int ranks() const { return options_.ranks == nullptr ? 1 : options_.ranks->size(); }

  // All that the next step depends on besides the options: parameters and buffers under their
  // published names, their momentum as "optimizer.<name>", "steps_done" and, in f16, "loss_scale".
  // Shares the trainer's memory. Every started step must have been finished.
  engine::TensorFile state();
  // Continues with the same bits from the state of a trainer with the same options. Throws, and
  // changes nothing, if the file does not hold such a state.
  void load_state(const engine::TensorFile& file);
  // Gives every rank the state of rank 0; does nothing if there is one.
  void share_state();

 private:
  struct DeviceBatch {
    Tensor views, boxes, message;  // message: see StepNumbers
    int64_t images_of_ranks;       // over which the loss of the step is a mean
  };
  // What a step's gradients leave besides themselves.
  struct Losses {
    std::vector<Tensor> values;  // of each micro-batch
    int64_t pixels = 0;          // of a feature map
  };
  void start_gradients(const StepInput& input);
  Losses accumulate_gradients(const DeviceBatch& batch, int64_t images);
  void find_not_finite(std::vector<Tensor> losses);
  StepResult scheduled() const;
  DeviceBatch upload(const StepInput& input, int64_t images);
  std::vector<layers::NamedTensor> changing_tensors();
  engine::Communicator* lane(Lane lane) const;

  TrainerOptions options_;
  Init init_;
  Model model_;
  layers::Sgd optimizer_;
  LossScale loss_scale_;
  DeferredUpdate update_;
  RunningEstimates running_estimates_;
  StepNumbers numbers_;
  std::optional<autograd::GradientReducer> reducer_;
  std::unique_ptr<engine::Upload> upload_;
  Tensor not_finite_;  // f32, one element: not 0 if the last gradients or their loss are not finite
  int64_t steps_done_ = 0;
};

}  // namespace pixpro
