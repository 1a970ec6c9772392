#include "pixpro/train/trainer.h"

#include "engine/kernels/loss_scale.h"
#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"

namespace pixpro {
namespace {

void require_usable(const StepResult& step, bool scales_loss) {
  if (scales_loss) {
    engine::require(step.loss_scale >= 1.0, "training: the gradients of step ", step.step,
                    " are not finite even with a loss scale below 1; try --precision bf16");
  } else {
    engine::require(!step.skipped, "training: the loss of step ", step.step, " (", step.loss,
                    ") or a gradient is not a finite number; the weights are left as they were. A ",
                    "lower --base-lr or a longer --warmup-epoch usually helps");
  }
}

// Names in a trainer's state, besides those of parameters and buffers.
constexpr const char *kStepsDone = "steps_done", *kLossScale = "loss_scale";
std::string momentum_name(const std::string& parameter) { return "optimizer." + parameter; }

}  // namespace

Tensor network_input(const Tensor& views, const TrainerOptions& options) {
  const engine::Layout layout =
      engine::activation_layout(options.device, options.precision, views.shape()[1]);
  return converted(to_device(views, options.device), options.precision, layout);
}

Trainer::Trainer(const TrainerOptions& options)
    : options_(options),
      init_{engine::Random(options.seed, /*a=*/0xFFFFFFFF), engine::at_least_f32(options.precision),
            options.device},
      model_(options.model, init_),
      optimizer_(model_.parameters(), options.optimizer, model_.momentum_encoder()),
      loss_scale_(options.precision, options.device),
      update_(optimizer_, loss_scale_),
      running_estimates_(model_),
      numbers_(options.device, lane(kNumbersLane)),
      upload_(engine::make_upload(options.device)) {
  if (options.ranks == nullptr) return;
  std::vector<Var> parameters;
  for (const layers::NamedVar& parameter : model_.parameters()) parameters.push_back(parameter.var);
  reducer_.emplace(parameters, *lane(kGradientLane), options.buckets);
  share_state();
}

engine::Communicator* Trainer::lane(Lane lane) const {
  return options_.ranks == nullptr ? nullptr : &options_.ranks->lane(lane);
}

void Trainer::start_step(const StepInput& input) {
  start_gradients(input);
  update();
}

void Trainer::start_gradients(const StepInput& input) {
  numbers_.require_free_slot();
  const int64_t images = micro_batch_size(input.views, options_.accumulate);
  const StepResult step = scheduled();
  update_.make_and_follow(step.momentum);  // the update of the step before
  running_estimates_.begin_step();
  const DeviceBatch batch = upload(input, images);
  const Losses losses = accumulate_gradients(batch, images);
  find_not_finite(losses.values);
  running_estimates_.end_step(not_finite_);
  numbers_.start(step, batch.message, losses.pixels, not_finite_, loss_scale_.state());
}

// Forward, loss and backward. The gradients of the micro-batches add up in the parameters, and
// those of the ranks do while the last micro-batch is still on its way back.
Trainer::Losses Trainer::accumulate_gradients(const DeviceBatch& batch, int64_t images) {
  const Model::BranchLanes lanes = options_.sync_batch_norm
                                       ? Model::BranchLanes{lane(kOnlineLane), lane(kTargetLane)}
                                       : Model::BranchLanes{};
  const double share = static_cast<double>(images) / static_cast<double>(batch.images_of_ranks);
  Losses losses;
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    autograd::Tape tape;
    const Model::Output out = model_.forward(images_of(batch.views, i * images, images),
                                             images_of(batch.boxes, i * images, images), lanes);
    if (reducer_ && i + 1 == options_.accumulate) reducer_->arm();
    tape.backward(out.loss, loss_scale_.gradient_of(out.loss.value(), share));
    StepNumbers::write(out, i, batch.message);
    losses.values.push_back(out.loss.value());
    losses.pixels = out.grid.pixels();
  }
  if (reducer_) reducer_->finish();
  return losses;
}

// Sets not_finite_, the same on every rank.
void Trainer::find_not_finite(std::vector<Tensor> losses) {
  std::vector<Tensor> all = std::move(losses);
  for (const Tensor& gradient : optimizer_.gradients()) all.push_back(gradient);
  not_finite_ = engine::zeros({1}, engine::DType::f32, options_.device);
  engine::on_device(options_.device,
                    [&](auto& ctx) { engine::find_not_finite(ctx, all, not_finite_); });
  if (auto* ranks = lane(kNumbersLane)) ranks->all_reduce(not_finite_);
}

void Trainer::update() {
  update_.defer(scheduled().learning_rate, not_finite_);
  ++steps_done_;
}

StepResult Trainer::finish_step() {
  const StepResult result = numbers_.finish();
  running_estimates_.finish_step(result.skipped);
  try {
    require_usable(result, loss_scale_.state().defined());
  } catch (const engine::Error& error) {
    throw NotFinite(error, result);
  }
  return result;
}

StepResult Trainer::step(const StepInput& input) {
  start_step(input);
  return finish_step();
}

StepResult Trainer::compute_gradients(const StepInput& input) {
  start_gradients(input);
  return finish_step();
}

// What the schedules say about the next step.
StepResult Trainer::scheduled() const {
  return {
      .step = steps_done_,
      .learning_rate = layers::learning_rate(options_.schedule, steps_done_),
      .momentum = layers::encoder_momentum(options_.encoder_momentum, steps_done_, total_steps())};
}

Trainer::DeviceBatch Trainer::upload(const StepInput& input, int64_t images) {
  const int64_t own = images * options_.accumulate;
  const int64_t all = input.images_of_ranks > 0 ? input.images_of_ranks : own * ranks();
  std::vector<Tensor> sent = {
      to_dtype(input.boxes, engine::DType::f64),
      StepNumbers::message(input.report, options_.accumulate, images, options_.model.out_channels)};
  const bool on_host = input.views.device() == engine::kCpu;
  if (on_host) sent.push_back(input.views);
  sent = upload_->send(sent);
  return {.views = network_input(on_host ? sent[2] : input.views, options_),
          .boxes = sent[0],
          .message = sent[1],
          .images_of_ranks = all};
}

Model& Trainer::model() {
  update_.make();
  return model_;
}

std::vector<layers::NamedTensor> Trainer::changing_tensors() {
  engine::require(numbers_.under_way() == 0, "trainer: a step has been started, finish it first");
  update_.make();
  std::vector<layers::NamedTensor> all = state_of(model_);
  for (const layers::NamedTensor& momentum : optimizer_.momentum()) {
    all.push_back({momentum_name(momentum.name), momentum.tensor});
  }
  if (loss_scale_.state().defined()) all.push_back({kLossScale, loss_scale_.state()});
  return all;
}

// The counts of batches are on the host, and nothing depends on them.
void Trainer::share_state() {
  if (options_.ranks == nullptr) return;
  for (layers::NamedTensor& t : changing_tensors()) {
    if (t.tensor.dtype() != engine::DType::i64) lane(kNumbersLane)->broadcast(t.tensor, 0);
  }
}

engine::TensorFile Trainer::state() {
  engine::TensorFile file;
  for (const layers::NamedTensor& t : changing_tensors()) file.tensors[t.name] = t.tensor;
  file.tensors[kStepsDone] = engine::from_values<int64_t>({}, {steps_done_});
  return file;
}

void Trainer::load_state(const engine::TensorFile& file) {
  const Tensor steps({}, engine::DType::i64);
  overwrite({{kStepsDone, steps}}, file);
  const int64_t done = *steps.data<int64_t>();
  engine::require(0 <= done && done <= total_steps(), file_called(file), ": expected '", kStepsDone,
                  "' from 0 to ", total_steps(), ", found ", done);
  // The running estimates are not checked. Training does not use them, and those of older f16
  // checkpoints may not be finite.
  for (const layers::NamedVar& p : model_.parameters()) require_finite(file, p.name);
  for (const layers::NamedTensor& m : optimizer_.momentum()) {
    require_finite(file, momentum_name(m.name));
  }
  overwrite(changing_tensors(), file);
  share_state();
  steps_done_ = done;
}

}  // namespace pixpro
