#include "pixpro/train/trainer.h"

#include <cmath>

#include "engine/kernels/norm.h"
#include "engine/kernels/pointwise.h"
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

// [1,2,C] f64: mean and variance of every channel of the features.
Tensor feature_statistics(const Tensor& features) {
  Tensor statistics({1, 2, features.shape()[1]}, engine::DType::f64, features.device());
  engine::on_device(features.device(),
                    [&](auto& ctx) { batch_norm_statistics(ctx, features, statistics); });
  return statistics;
}

double mean_deviation(const Tensor& statistics) {
  const std::vector<double> values = engine::to_values(statistics);
  const size_t channels = values.size() / 2;
  double sum = 0.0;
  for (size_t c = channels; c < values.size(); ++c) sum += std::sqrt(values[c]);
  return sum / static_cast<double>(channels);
}

// pairs: [2N,4], see pixpro/method/kernels.h; pixels: of a feature map.
CollapseMeasures measure(const Tensor& pairs, const Tensor& statistics, int64_t pixel_count) {
  const std::vector<double> rows = engine::to_values(pairs);
  const double images = static_cast<double>(pairs.shape()[0]);
  const double pixels = static_cast<double>(pixel_count);
  double positives = 0.0, positive_sum = 0.0, other_sum = 0.0;
  for (size_t row = 0; row < rows.size(); row += kColumns) {
    positives += rows[row + kPositives];
    positive_sum += rows[row + kPositiveSum];
    other_sum += rows[row + kOtherSum];
  }
  const double others = images * pixels * pixels - positives;
  return {.feature_std = mean_deviation(statistics),
          .positives_per_image = positives / images,
          .positive_similarity = positive_sum / std::max(positives, 1.0),
          .other_similarity = other_sum / std::max(others, 1.0)};
}

void add_share(CollapseMeasures& sum, const CollapseMeasures& part, double share) {
  sum.feature_std += share * part.feature_std;
  sum.positives_per_image += share * part.positives_per_image;
  sum.positive_similarity += share * part.positive_similarity;
  sum.other_similarity += share * part.other_similarity;
}

constexpr engine::LossScaling kLossScaling;

// [2], see engine::update_loss_scale; undefined where the type holds every gradient as it is.
Tensor initial_loss_scale(const TrainerOptions& options) {
  if (options.precision != engine::DType::f16) return {};
  Tensor state = engine::zeros({2}, engine::DType::f32, options.device);
  Tensor scale = state.rows(0, 1);
  engine::on_device(options.device, [&](auto& ctx) { fill(ctx, scale, kLossScaling.initial); });
  return state;
}

// Of a trainer's state, beside what has the name of a parameter or buffer.
constexpr const char *kStepsDone = "steps_done", *kLossScale = "loss_scale";
std::string momentum_name(const std::string& parameter) { return "optimizer." + parameter; }

// What each part of a batch has to tell.
enum Number : size_t { kLoss, kPairs, kStatistics, kNumbers };

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
      optimizer_(model_.parameters(), options.optimizer, model_.followers()),
      upload_(engine::make_upload(options.device)),
      pending_{Pending{.numbers = engine::make_readback(options.device)},
               Pending{.numbers = engine::make_readback(options.device)}},
      loss_scale_(initial_loss_scale(options)) {}

void Trainer::queue_gradients(const Tensor& views, const Tensor& boxes) {
  const int64_t images = views.shape()[0] / 2, parts = options_.accumulate;
  engine::require(parts >= 1 && images % parts == 0 && images / parts >= 1, "trainer: a batch of ",
                  images, " images does not split into ", parts, " equal micro-batches");
  engine::require(started_ - finished_ < 2, "trainer: two steps are started, finish one first");
  Pending& step = pending_[static_cast<size_t>(started_ % 2)];
  step.result = {.step = steps_done_,
                 .learning_rate = learning_rate(options_.schedule, steps_done_),
                 .momentum = layers::branch_momentum(options_.branch_momentum, steps_done_,
                                                     options_.schedule.total_steps)};
  settle(step.result.momentum);

  const bool on_host = views.device() == engine::kCpu;
  std::vector<Tensor> batch = {to_dtype(boxes, engine::DType::f64)};
  if (on_host) batch.push_back(views);
  batch = upload_->send(batch);
  const Tensor inputs = network_input(on_host ? batch[1] : views, options_);
  const int64_t count = images / parts;
  std::vector<Tensor> numbers, finite = {};
  for (int64_t part = 0; part < parts; ++part) {
    autograd::Tape tape;
    const Model::Output out = model_.forward(part_of_views(inputs, part * count, count),
                                             part_of_views(batch[0], part * count, count));
    tape.backward(out.loss, loss_gradient(out.loss.value()));
    step.pixels = out.grid.pixels();
    finite.push_back(out.loss.value());
    numbers.insert(numbers.end(), {out.loss.value(), out.pairs, feature_statistics(out.features)});
  }
  for (const Tensor& gradient : optimizer_.gradients()) finite.push_back(gradient);
  not_finite_ = engine::zeros({1}, engine::DType::f32, options_.device);
  engine::on_device(options_.device, [&](auto& ctx) { find_not_finite(ctx, finite, not_finite_); });
  numbers.push_back(not_finite_);
  if (loss_scale_.defined()) numbers.push_back(loss_scale_);
  step.numbers->start(numbers);
  ++started_;
}

// One part's share of the loss, times the loss scale.
Tensor Trainer::loss_gradient(const Tensor& loss) const {
  const double share = 1.0 / static_cast<double>(options_.accumulate);
  if (!loss_scale_.defined()) return engine::full({}, share, loss.dtype(), loss.device());
  Tensor gradient({1}, loss.dtype(), loss.device());
  engine::on_device(loss.device(),
                    [&](auto& ctx) { scale(ctx, loss_scale_.rows(0, 1), share, gradient); });
  return gradient.reshape({});
}

// The update is left for settle.
void Trainer::apply_gradients() {
  settle();
  due_ = learning_rate(options_.schedule, steps_done_);
  ++steps_done_;
}

// Makes the update that is due. It waits for the next step, whose momentum branch then follows the
// new parameters in the same pass (`branch_momentum`), or for somebody to look at the state, in
// which the branch has not followed yet.
void Trainer::settle(std::optional<double> branch_momentum) {
  if (!due_) {
    if (branch_momentum) optimizer_.follow(*branch_momentum);
    return;
  }
  const Tensor scale = loss_scale_.defined() ? loss_scale_.rows(0, 1) : Tensor();
  optimizer_.step(*due_, not_finite_, scale, branch_momentum);
  due_.reset();
  if (!loss_scale_.defined()) return;
  engine::on_device(options_.device, [&](auto& ctx) {
    update_loss_scale(ctx, not_finite_, kLossScaling, loss_scale_);
  });
}

Model& Trainer::model() {
  settle();
  return model_;
}

StepResult Trainer::finish_step() {
  engine::require(finished_ < started_, "trainer: no step is started");
  Pending& step = pending_[static_cast<size_t>(finished_++ % 2)];
  const std::vector<Tensor> numbers = step.numbers->finish();
  const auto parts = static_cast<size_t>(options_.accumulate);
  const double share = 1.0 / static_cast<double>(parts);
  StepResult& result = step.result;
  for (size_t part = 0; part < parts; ++part) {
    const Tensor* of_part = &numbers[part * kNumbers];
    result.loss += share * engine::item(of_part[kLoss]);
    add_share(result.collapse, measure(of_part[kPairs], of_part[kStatistics], step.pixels), share);
  }
  result.skipped = engine::item(numbers[parts * kNumbers]) != 0.0;
  if (loss_scale_.defined()) {
    result.loss_scale = engine::to_values(numbers.back())[0];
    engine::require(result.loss_scale >= 1.0,
                    "training: gradients are not finite numbers even with "
                    "a loss scale below 1 (step ",
                    result.step, "); try --precision bf16");
  } else {
    engine::require(!result.skipped, "training: the loss of step ", result.step, " is ",
                    result.loss,
                    " or a gradient is no finite number, and the weights are left as they were; a ",
                    "lower --base-lr or a longer --warmup-epoch usually helps");
  }
  return result;
}

void Trainer::start_step(const Tensor& views, const Tensor& boxes) {
  queue_gradients(views, boxes);
  apply_gradients();
}

StepResult Trainer::step(const Tensor& views, const Tensor& boxes) {
  start_step(views, boxes);
  return finish_step();
}

StepResult Trainer::compute_gradients(const Tensor& views, const Tensor& boxes) {
  queue_gradients(views, boxes);
  return finish_step();
}

std::vector<layers::NamedTensor> Trainer::changing_tensors() {
  engine::require(started_ == finished_, "trainer: a step is started and not finished");
  settle();
  std::vector<layers::NamedTensor> all = state_of(model_);
  for (const layers::NamedTensor& momentum : optimizer_.momentum()) {
    all.push_back({momentum_name(momentum.name), momentum.tensor});
  }
  if (loss_scale_.defined()) all.push_back({kLossScale, loss_scale_});
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
  const int64_t done = *steps.data<int64_t>(), total = options_.schedule.total_steps;
  engine::require(0 <= done && done <= total, file_called(file), ": '", kStepsDone, "' from 0 to ",
                  total, " expected, found ", done);
  // Not the running estimates, which training does not use: f16 may have spoilt them in a step that
  // was skipped.
  for (const layers::NamedVar& p : model_.parameters()) require_finite(file, p.name);
  for (const layers::NamedTensor& m : optimizer_.momentum()) {
    require_finite(file, momentum_name(m.name));
  }
  overwrite(changing_tensors(), file);
  steps_done_ = done;
}

}  // namespace pixpro
