#include "pixpro/train/trainer.h"

#include "engine/kernels/loss_scale.h"
#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"

namespace pixpro {
namespace {

// Images begin .. begin+count-1 of both halves of a stack of two views.
Tensor part_of_views(const Tensor& stack, int64_t begin, int64_t count) {
  const int64_t n = stack.shape()[0] / 2;
  if (count == n) return stack;
  return engine::concatenate_rows({stack.rows(begin, count), stack.rows(n + begin, count)});
}

// Images per micro-batch.
int64_t micro_batch_size(const Tensor& views, int64_t micro_batches) {
  const int64_t images = views.shape()[0] / 2;
  engine::require(micro_batches >= 1 && images >= micro_batches && images % micro_batches == 0,
                  "trainer: a batch of ", images, " images cannot be split into ", micro_batches,
                  " equal micro-batches");
  return images / micro_batches;
}

// One element, f32: 1 if a loss or gradient is not finite, otherwise 0.
Tensor find_not_finite(const std::vector<MicroBatchNumbers>& parts,
                       const std::vector<Tensor>& gradients, engine::Device device) {
  std::vector<Tensor> all;
  for (const MicroBatchNumbers& part : parts) all.push_back(part.loss);
  all.insert(all.end(), gradients.begin(), gradients.end());
  Tensor not_finite = engine::zeros({1}, engine::DType::f32, device);
  engine::on_device(device, [&](auto& ctx) { engine::find_not_finite(ctx, all, not_finite); });
  return not_finite;
}

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
      numbers_(options.device),
      upload_(engine::make_upload(options.device)) {}

void Trainer::start_step(const Tensor& views, const Tensor& boxes) {
  start_gradients(views, boxes);
  update();
}

void Trainer::start_gradients(const Tensor& views, const Tensor& boxes) {
  numbers_.require_free_slot();
  const int64_t images = micro_batch_size(views, options_.accumulate);
  const StepResult step = scheduled();
  update_.make_and_follow(step.momentum);  // the update of the step before
  running_estimates_.begin_step();
  const std::vector<MicroBatchNumbers> parts = accumulate_gradients(upload(views, boxes), images);
  not_finite_ = find_not_finite(parts, optimizer_.gradients(), options_.device);
  running_estimates_.end_step(not_finite_);
  numbers_.start(step, parts, not_finite_, loss_scale_.state());
}

// Forward, loss and backward. The gradients of the micro-batches add up in the parameters.
std::vector<MicroBatchNumbers> Trainer::accumulate_gradients(const DeviceBatch& batch,
                                                             int64_t images) {
  const double share = 1.0 / static_cast<double>(options_.accumulate);
  std::vector<MicroBatchNumbers> numbers;
  for (int64_t begin = 0; begin < images * options_.accumulate; begin += images) {
    autograd::Tape tape;
    const Model::Output out = model_.forward(part_of_views(batch.views, begin, images),
                                             part_of_views(batch.boxes, begin, images));
    tape.backward(out.loss, loss_scale_.gradient_of(out.loss.value(), share));
    numbers.push_back(numbers_of(out));
  }
  return numbers;
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

StepResult Trainer::step(const Tensor& views, const Tensor& boxes) {
  start_step(views, boxes);
  return finish_step();
}

StepResult Trainer::compute_gradients(const Tensor& views, const Tensor& boxes) {
  start_gradients(views, boxes);
  return finish_step();
}

// What the schedules say about the next step.
StepResult Trainer::scheduled() const {
  return {
      .step = steps_done_,
      .learning_rate = layers::learning_rate(options_.schedule, steps_done_),
      .momentum = layers::encoder_momentum(options_.encoder_momentum, steps_done_, total_steps())};
}

Trainer::DeviceBatch Trainer::upload(const Tensor& views, const Tensor& boxes) {
  std::vector<Tensor> sent = {to_dtype(boxes, engine::DType::f64)};
  const bool on_host = views.device() == engine::kCpu;
  if (on_host) sent.push_back(views);
  sent = upload_->send(sent);
  return {.views = network_input(on_host ? sent[1] : views, options_), .boxes = sent[0]};
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
  steps_done_ = done;
}

}  // namespace pixpro
