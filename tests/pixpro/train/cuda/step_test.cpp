// Tests training steps on CUDA. The reference numbers are those of golden_step_test.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/support/cuda.h"
#include "tests/support/golden.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::Batch;
using test_support::kCuda;
using test_support::small_training;
using test_support::training_batch;

TEST(CudaStep, TwoStepsUnderWayGiveTheNumbersOfStepsInTurn) {
  SKIP_WITHOUT_CUDA();
  const test_support::DeterministicCuda deterministic;
  const Batch first = training_batch(2, 64, "a"), second = training_batch(2, 64, "b");
  Trainer in_turn(small_training(DType::f32, kCuda)), overlapped(small_training(DType::f32, kCuda));
  const StepResult a = in_turn.step(first.views, first.boxes);
  const StepResult b = in_turn.step(second.views, second.boxes);
  overlapped.start_step(first.views, first.boxes);
  overlapped.start_step(second.views, second.boxes);
  EXPECT_THROW(overlapped.start_step(first.views, first.boxes), engine::Error);
  EXPECT_EQ(overlapped.finish_step().loss, a.loss);
  EXPECT_EQ(overlapped.finish_step().loss, b.loss);
  EXPECT_THROW(overlapped.finish_step(), engine::Error);
}

TEST(CudaStep, ALossThatIsNotFiniteLeavesTheWeightsAlone) {
  SKIP_WITHOUT_CUDA();
  for (const DType precision : {DType::f32, DType::f16}) {
    Trainer trainer(small_training(precision, kCuda));
    Batch batch = training_batch(2, 64);
    batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    const auto weight = [&] {
      return engine::to_values(trainer.model().parameters()[0].var.value());
    };
    const std::vector<double> before = weight();
    if (precision == DType::f32) {
      EXPECT_THROW(trainer.step(batch.views, batch.boxes), engine::Error);
    } else {
      EXPECT_TRUE(trainer.step(batch.views, batch.boxes).skipped);
    }
    EXPECT_EQ(weight(), before);
    EXPECT_EQ(trainer.steps_done(), 1);  // the schedules count it
    if (precision == DType::f16) {
      const Batch good = training_batch(2, 64);
      EXPECT_EQ(trainer.step(good.views, good.boxes).loss_scale, 32768.0);
    }
  }
}

// While the next step is under way already.
TEST(CudaStep, AnOverflowInF16LeavesTheBuffersAlone) {
  SKIP_WITHOUT_CUDA();
  const test_support::DeterministicCuda deterministic;
  const Batch good = training_batch(4, 64, "good");
  for (const int64_t spoilt_image : {0, 3}) {
    Batch bad = training_batch(4, 64, "bad");
    bad.views.rows(spoilt_image, 1).data<float>()[0] = std::numeric_limits<float>::infinity();
    std::vector<std::vector<double>> buffers;
    for (const bool overflows : {false, true}) {
      TrainerOptions options = small_training(DType::f16, kCuda);
      options.accumulate = 2;
      options.encoder_momentum = 1.0;  // the momentum encoder stays as it is
      Trainer trainer(options);
      if (overflows) trainer.start_step(bad.views, bad.boxes);
      trainer.start_step(good.views, good.boxes);
      if (overflows) {
        EXPECT_TRUE(trainer.finish_step().skipped);
      }
      EXPECT_FALSE(trainer.finish_step().skipped);
      buffers.emplace_back();
      for (const layers::NamedTensor& b : trainer.model().buffers()) {
        const std::vector<double> values = engine::to_values(b.tensor);
        buffers.back().insert(buffers.back().end(), values.begin(), values.end());
      }
    }
    EXPECT_TRUE(buffers[0] == buffers[1]) << spoilt_image;
  }
}

TEST(CudaStep, MixedPrecisionStaysNearTheExactStep) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = training_batch(4, 64);
  Trainer exact(small_training(DType::f64));
  const double loss = exact.compute_gradients(batch.views, batch.boxes).loss;
  const auto expected = exact.model().parameters();
  struct Case {
    DType precision;
    double loss_error, gradient_error;
  };
  // bf16 rounds activations to 8 bits and f16 to 11, in each of 20 layers.
  for (const Case& c :
       {Case{DType::f32, 1e-4, 2e-3}, {DType::bf16, 0.1, 0.6}, {DType::f16, 0.02, 0.15}}) {
    Trainer trainer(small_training(c.precision, kCuda));
    const StepResult result = trainer.compute_gradients(batch.views, batch.boxes);
    EXPECT_NEAR(result.loss, loss, c.loss_error) << c.precision;
    // The distance of all gradients as one vector.
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
  Trainer trainer(small_training(DType::f32, kCuda));
  const Batch batch = training_batch(2, 64);
  const auto held = [] { return engine::allocator_of(kCuda).stats().current_bytes; };
  for (int step = 0; step < 2; ++step) trainer.step(batch.views, batch.boxes);
  const int64_t before = held();
  for (int step = 0; step < 2; ++step) trainer.step(batch.views, batch.boxes);
  EXPECT_EQ(held(), before);
}

TEST(CudaStep, AccumulatesMicroBatchesAsTheCpuDoes) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = training_batch(4, 64);
  std::vector<double> losses;
  for (const engine::Device device : {engine::kCpu, kCuda}) {
    TrainerOptions options = small_training(DType::f32, device);
    options.accumulate = 2;
    losses.push_back(Trainer(options).step(batch.views, batch.boxes).loss);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-4);
}

}  // namespace
}  // namespace pixpro
