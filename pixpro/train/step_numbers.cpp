#include "pixpro/train/step_numbers.h"

#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

// The order in which tensors are requested: these of every micro-batch, then not_finite, then the
// loss scale, if there is one.
enum Part : size_t { kLoss, kPairs, kStatistics, kPartTensors };

}  // namespace

MicroBatchNumbers numbers_of(const Model::Output& output) {
  return {.loss = output.loss.value(),
          .pairs = output.pairs,
          .statistics = feature_statistics(output.features),
          .pixels = output.grid.pixels()};
}

StepNumbers::StepNumbers(engine::Device device) {
  for (Step& step : ring_) step.numbers = engine::make_readback(device);
}

void StepNumbers::require_free_slot() const {
  engine::require(under_way() < 2, "trainer: two steps have been started, finish one first");
}

void StepNumbers::start(const StepResult& known, const std::vector<MicroBatchNumbers>& parts,
                        const Tensor& not_finite, const Tensor& loss_scale) {
  require_free_slot();
  std::vector<Tensor> tensors;
  for (const auto& [loss, pairs, statistics, pixels] : parts) {
    tensors.insert(tensors.end(), {loss, pairs, statistics});
  }
  tensors.push_back(not_finite);
  if (loss_scale.defined()) tensors.push_back(loss_scale);
  Step& step = slot(started_++);
  step.known = known;
  step.parts = parts.size();
  step.pixels = parts.front().pixels;
  step.numbers->start(tensors);
}

StepResult StepNumbers::finish() {
  engine::require(under_way() > 0, "trainer: no step has been started");
  Step& step = slot(finished_++);
  const std::vector<Tensor> tensors = step.numbers->finish();
  const double share = 1.0 / static_cast<double>(step.parts);
  StepResult result = step.known;
  for (size_t part = 0; part < step.parts; ++part) {
    const Tensor* numbers = &tensors[part * kPartTensors];
    result.loss += share * engine::item(numbers[kLoss]);
    add_share(result.collapse, measure_collapse(numbers[kPairs], numbers[kStatistics], step.pixels),
              share);
  }
  const size_t not_finite = step.parts * kPartTensors, loss_scale = not_finite + 1;
  result.skipped = engine::item(tensors[not_finite]) != 0.0;
  if (loss_scale < tensors.size()) result.loss_scale = engine::to_values(tensors[loss_scale])[0];
  return result;
}

}  // namespace pixpro
