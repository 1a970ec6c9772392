#include "pixpro/train/trainer.h"

#include <cmath>

#include "engine/kernels/norm.h"
#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

// Images begin .. begin+count-1 of both halves of a stack of two views.
Tensor part_of_views(const Tensor& stack, int64_t begin, int64_t count) {
  const int64_t n = stack.shape()[0] / 2;
  if (count == n) return stack;
  return engine::concatenate_rows({stack.rows(begin, count), stack.rows(n + begin, count)});
}

double mean_deviation(const Tensor& features) {
  const int64_t channels = features.shape()[1];
  Tensor statistics({1, 2, channels}, engine::DType::f64, features.device());
  engine::on_device(features.device(),
                    [&](auto& ctx) { batch_norm_statistics(ctx, features, statistics); });
  const std::vector<double> values = engine::to_values(statistics);
  double sum = 0.0;
  for (size_t c = values.size() / 2; c < values.size(); ++c) sum += std::sqrt(values[c]);
  return sum / static_cast<double>(channels);
}

CollapseMeasures measure(const Model::Output& out) {
  const std::vector<double> rows = engine::to_values(out.pairs);
  const double images = static_cast<double>(out.pairs.shape()[0]);
  const double pixels = static_cast<double>(out.grid.pixels());
  double positives = 0.0, positive_sum = 0.0, other_sum = 0.0;
  for (size_t row = 0; row < rows.size(); row += kColumns) {
    positives += rows[row + kPositives];
    positive_sum += rows[row + kPositiveSum];
    other_sum += rows[row + kOtherSum];
  }
  const double others = images * pixels * pixels - positives;
  return {.feature_std = mean_deviation(out.features),
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

// The views in the type, on the device and in the layout that the network computes in.
Tensor network_input(const Tensor& views, const TrainerOptions& options) {
  const engine::Layout layout =
      engine::activation_layout(options.device, options.precision, views.shape()[1]);
  return converted(to_device(views, options.device), options.precision, layout);
}

}  // namespace

Trainer::Trainer(const TrainerOptions& options)
    : options_(options),
      init_{engine::Random(options.seed, /*a=*/0xFFFFFFFF), engine::at_least_f32(options.precision),
            options.device},
      model_(options.model, init_),
      optimizer_(model_.parameters(), options.optimizer) {}

StepResult Trainer::compute_gradients(const Tensor& views, const Tensor& boxes) {
  const int64_t images = views.shape()[0] / 2, parts = options_.accumulate;
  engine::require(parts >= 1 && images % parts == 0 && images / parts >= 1, "trainer: a batch of ",
                  images, " images does not split into ", parts, " equal micro-batches");
  StepResult result{.step = steps_done_};
  result.learning_rate = learning_rate(options_.schedule, steps_done_);
  result.momentum =
      layers::branch_momentum(options_.branch_momentum, steps_done_, options_.schedule.total_steps);
  model_.update_momentum_branch(result.momentum);

  const Tensor inputs = network_input(views, options_);
  const Tensor exact_boxes = to_device(to_dtype(boxes, engine::DType::f64), options_.device);
  const double share = 1.0 / static_cast<double>(parts);
  const int64_t count = images / parts;
  for (int64_t part = 0; part < parts; ++part) {
    autograd::Tape tape;
    const Model::Output out = model_.forward(part_of_views(inputs, part * count, count),
                                             part_of_views(exact_boxes, part * count, count));
    tape.backward(out.loss, engine::full({}, share, out.loss.value().dtype(), options_.device));
    result.loss += share * engine::item(out.loss.value());
    add_share(result.collapse, measure(out), share);
  }
  return result;
}

void Trainer::apply_gradients() {
  optimizer_.step(learning_rate(options_.schedule, steps_done_));
  ++steps_done_;
}

StepResult Trainer::step(const Tensor& views, const Tensor& boxes) {
  const StepResult result = compute_gradients(views, boxes);
  engine::require(std::isfinite(result.loss), "training: the loss of step ", result.step, " is ",
                  result.loss, " and the weights are left as they were; a lower --base-lr or a ",
                  "longer --warmup-epoch usually helps");
  apply_gradients();
  return result;
}

}  // namespace pixpro
