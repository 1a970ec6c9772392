// Training steps on CUDA: what they promise beside the reference numbers (golden_step_test.cpp).
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/support/cuda.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::kCuda;

TrainerOptions small_options(DType precision = DType::f32, engine::Device device = kCuda) {
  TrainerOptions options;
  options.model = {.arch = "resnet18", .hidden_channels = 32, .out_channels = 16};
  options.schedule = {.base = 0.1, .total_steps = 10};
  options.precision = precision;
  options.device = device;
  return options;
}

struct Batch {
  Tensor views, boxes;
};

Batch batch_of(int64_t images, const std::string& name = "views") {
  Tensor boxes({2 * images, 4}, DType::f64);
  for (int64_t i = 0; i < boxes.elements(); ++i) {
    boxes.data<double>()[i] = i % 4 < 2 ? 0.05 * static_cast<double>(i % 3) : 0.8;
  }
  return {test_support::hashed_tensor(name, {2 * images, 3, 64, 64}, 1.7, 0.0, 0, DType::f32),
          boxes};
}

TEST(CudaStep, NumbersComeWhicheverStepIsStartedFirst) {
  SKIP_WITHOUT_CUDA();
  const Batch first = batch_of(2, "a"), second = batch_of(2, "b");
  Trainer in_turn(small_options()), overlapped(small_options());
  const StepResult a = in_turn.step(first.views, first.boxes);
  const StepResult b = in_turn.step(second.views, second.boxes);
  overlapped.start_step(first.views, first.boxes);
  overlapped.start_step(second.views, second.boxes);
  EXPECT_THROW(overlapped.start_step(first.views, first.boxes), engine::Error);
  EXPECT_EQ(overlapped.finish_step().loss, a.loss);
  EXPECT_EQ(overlapped.finish_step().loss, b.loss);
  EXPECT_THROW(overlapped.finish_step(), engine::Error);
}

TEST(CudaStep, ALossThatIsNoNumberLeavesTheWeightsAlone) {
  SKIP_WITHOUT_CUDA();
  for (const DType precision : {DType::f32, DType::f16}) {
    Trainer trainer(small_options(precision));
    Batch batch = batch_of(2);
    batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    const Tensor weight = trainer.model().parameters()[0].var.value();
    const std::vector<double> before = engine::to_values(weight);
    if (precision == DType::f32) {
      EXPECT_THROW(trainer.step(batch.views, batch.boxes), engine::Error);
    } else {
      EXPECT_TRUE(trainer.step(batch.views, batch.boxes).skipped);
    }
    EXPECT_EQ(engine::to_values(weight), before);
    EXPECT_EQ(trainer.steps_done(), 1);  // the schedules go on
    if (precision == DType::f16) {
      const Batch good = batch_of(2);
      EXPECT_EQ(trainer.step(good.views, good.boxes).loss_scale, 32768.0);
    }
  }
}

TEST(CudaStep, MixedPrecisionStaysNearTheExactStep) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = batch_of(4);
  Trainer exact(small_options(DType::f64, engine::kCpu));
  const double loss = exact.compute_gradients(batch.views, batch.boxes).loss;
  const auto expected = exact.model().parameters();
  struct Case {
    DType precision;
    double loss_error, gradient_error;
  };
  // 8 and 11 bits of activations through 20 layers.
  for (const Case& c :
       {Case{DType::f32, 1e-4, 2e-3}, {DType::bf16, 0.1, 0.6}, {DType::f16, 0.02, 0.15}}) {
    Trainer trainer(small_options(c.precision));
    const StepResult result = trainer.compute_gradients(batch.views, batch.boxes);
    EXPECT_NEAR(result.loss, loss, c.loss_error) << c.precision;
    // All gradients as one vector.
    double squares = 0.0, apart = 0.0;
    const auto found = trainer.model().parameters();
    for (size_t i = 0; i < found.size(); ++i) {
      if (!found[i].var.needs_grad()) continue;
      const std::vector<double> a = engine::to_values(found[i].var.grad());
      const std::vector<double> b = engine::to_values(expected[i].var.grad());
      for (size_t j = 0; j < a.size(); ++j) {
        apart += std::pow(a[j] / result.loss_scale - b[j], 2);
        squares += b[j] * b[j];
      }
    }
    EXPECT_LE(std::sqrt(apart / squares), c.gradient_error) << c.precision;
  }
}

TEST(CudaStep, MemoryStaysLevelFromStepToStep) {
  SKIP_WITHOUT_CUDA();
  Trainer trainer(small_options());
  const Batch batch = batch_of(2);
  const auto held = [] { return engine::allocator_of(kCuda).stats().current_bytes; };
  for (int step = 0; step < 2; ++step) trainer.step(batch.views, batch.boxes);
  const int64_t before = held();
  for (int step = 0; step < 2; ++step) trainer.step(batch.views, batch.boxes);
  EXPECT_EQ(held(), before);
}

TEST(CudaStep, MicroBatchesAverageAsOnTheCpu) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = batch_of(4);
  std::vector<double> losses;
  for (const engine::Device device : {engine::kCpu, kCuda}) {
    TrainerOptions options = small_options(DType::f32, device);
    options.accumulate = 2;
    losses.push_back(Trainer(options).step(batch.views, batch.boxes).loss);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-4);
}

}  // namespace
}  // namespace pixpro
