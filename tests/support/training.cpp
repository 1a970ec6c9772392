#include "tests/support/training.h"

#include "engine/tensor_ops.h"
#include "tests/support/hashed.h"

namespace test_support {

using engine::DType;

pixpro::TrainerOptions small_training(DType precision, engine::Device device) {
  pixpro::TrainerOptions options;
  options.model = {.arch = "resnet18", .hidden_channels = 32, .out_channels = 16};
  options.schedule = {.base = 0.1, .total_steps = 10};
  options.precision = precision;
  options.device = device;
  return options;
}

Batch training_batch(int64_t images, int64_t size, const std::string& name) {
  engine::Tensor boxes({2 * images, 4}, DType::f64);
  for (int64_t i = 0; i < boxes.elements(); ++i) {
    boxes.data<double>()[i] = i % 4 < 2 ? 0.05 * static_cast<double>(i % 3) : 0.8;
  }
  return {hashed_tensor(name, {2 * images, 3, size, size}, 1.7, 0.0, 0, DType::f32), boxes};
}

std::vector<double> all_weights(pixpro::Trainer& trainer) {
  std::vector<double> all;
  for (const layers::NamedTensor& t : state_of(trainer.model())) {
    const std::vector<double> values = engine::to_values(t.tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace test_support
