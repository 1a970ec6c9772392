#include "tests/support/training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/reference_model.h"

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

void use_weights_with_gradients(pixpro::Trainer& trainer) {
  hashed_init(trainer.model());
  copy_to_momentum_encoder(trainer.model());
}

Gradients gradients_of(pixpro::Trainer& trainer, double scale) {
  Gradients all;
  for (const layers::NamedVar& p : trainer.model().parameters()) {
    if (!p.var.needs_grad()) continue;
    std::vector<double> values = engine::to_values(p.var.grad());
    for (double& value : values) value *= scale;
    EXPECT_TRUE(std::ranges::any_of(values, [](double value) { return value != 0.0; }))
        << p.name << " has no gradient";
    all[p.name] = engine::from_values(p.var.shape(), values);
  }
  return all;
}

Farthest farthest(const Gradients& found, const Gradients& expected) {
  double squares = 0.0;
  for (const auto& [name, gradient] : expected) squares += std::pow(norm(gradient), 2);
  Farthest result;
  for (const auto& [name, gradient] : expected) {
    const double apart = distance(found.at(name), gradient, 1e-3 * std::sqrt(squares));
    if (apart >= result.distance) result = {apart, name};
  }
  return result;
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
