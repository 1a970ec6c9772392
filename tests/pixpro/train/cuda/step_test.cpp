// Tests training steps on CUDA. The reference numbers are those of golden_step_test.cpp.
#include <gtest/gtest.h>

#include <limits>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/support/cuda.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::Batch;
using test_support::farthest;
using test_support::Gradients;
using test_support::gradients_of;
using test_support::kCuda;
using test_support::small_training;
using test_support::training_batch;
using test_support::use_weights_with_gradients;

TEST(CudaStep, TwoStepsUnderWayGiveTheNumbersOfStepsInTurn) {
  SKIP_WITHOUT_CUDA();
  const test_support::DeterministicCuda deterministic;
  const Batch first = training_batch(2, 33, "a"), second = training_batch(2, 64, "b");
  Trainer in_turn(small_training(DType::f32, kCuda)), overlapped(small_training(DType::f32, kCuda));
  use_weights_with_gradients(in_turn);
  use_weights_with_gradients(overlapped);
  const StepResult a = in_turn.step({first.views, first.boxes});
  const StepResult b = in_turn.step({second.views, second.boxes});
  overlapped.start_step({first.views, first.boxes});
  overlapped.start_step({second.views, second.boxes});
  EXPECT_THROW(overlapped.start_step({first.views, first.boxes}), engine::Error);
  EXPECT_EQ(overlapped.finish_step().loss, a.loss);
  EXPECT_EQ(overlapped.finish_step().loss, b.loss);
  EXPECT_THROW(overlapped.finish_step(), engine::Error);
}

TEST(CudaStep, ALossThatIsNotFiniteLeavesTheWeightsAlone) {
  SKIP_WITHOUT_CUDA();
  for (const DType precision : {DType::f32, DType::f16}) {
    Trainer trainer(small_training(precision, kCuda));
    Batch batch = training_batch(2, 33);
    batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    const auto weight = [&] {
      return engine::to_values(trainer.model().parameters()[0].var.value());
    };
    const std::vector<double> before = weight();
    if (precision == DType::f32) {
      EXPECT_THROW(trainer.step({batch.views, batch.boxes}), engine::Error);
    } else {
      EXPECT_TRUE(trainer.step({batch.views, batch.boxes}).skipped);
    }
    EXPECT_EQ(weight(), before);
    EXPECT_EQ(trainer.steps_done(), 1);  // the schedules count it
    if (precision == DType::f16) {
      const Batch good = training_batch(2, 33);
      EXPECT_EQ(trainer.step({good.views, good.boxes}).loss_scale, 32768.0);
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
      if (overflows) trainer.start_step({bad.views, bad.boxes});
      trainer.start_step({good.views, good.boxes});
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

// Rounding explains the limits. With the unit roundoff u, activations are off by about u sqrt(20)
// after 20 layers, and so is the loss. Where that changes the sign of an activation, its ReLU
// turns. A share p = u sqrt(20) of turned ReLUs in each of 17 layers moves the gradients by sqrt(17
// p).
//         u       u sqrt(20)   loss measured   sqrt(17 p)   farthest gradient measured
//   f32   2^-24   3e-7         3e-9            0.002        3e-6, since no ReLU turned
//   bf16  2^-8    0.017        0.014           0.55         0.59
//   f16   2^-11   0.0022       0.0003          0.19         0.16
// A gradient that is missing or doubled has the distance 1.
TEST(CudaStep, MixedPrecisionStaysNearTheExactStep) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = training_batch(4, 64);
  Trainer exact(small_training(DType::f64));
  use_weights_with_gradients(exact);
  const double loss = exact.compute_gradients({batch.views, batch.boxes}).loss;
  const Gradients expected = gradients_of(exact);
  struct Case {
    DType precision;
    double loss_error, gradient_error;
  };
  for (const Case& c :
       {Case{DType::f32, 1e-6, 0.002}, {DType::bf16, 0.03, 0.8}, {DType::f16, 0.004, 0.25}}) {
    Trainer trainer(small_training(c.precision, kCuda));
    use_weights_with_gradients(trainer);
    const StepResult result = trainer.compute_gradients({batch.views, batch.boxes});
    EXPECT_NEAR(result.loss, loss, c.loss_error) << c.precision;
    const Gradients found = gradients_of(trainer, 1.0 / result.loss_scale);
    const auto [distance, name] = farthest(found, expected);
    EXPECT_LE(distance, c.gradient_error) << c.precision << ' ' << name;
  }
}

TEST(CudaStep, MemoryStaysLevelFromStepToStep) {
  SKIP_WITHOUT_CUDA();
  Trainer trainer(small_training(DType::f32, kCuda));
  const Batch batch = training_batch(2, 33);
  const auto held = [] { return engine::allocator_of(kCuda).stats().current_bytes; };
  for (int step = 0; step < 2; ++step) trainer.step({batch.views, batch.boxes});
  const int64_t before = held();
  for (int step = 0; step < 2; ++step) trainer.step({batch.views, batch.boxes});
  EXPECT_EQ(held(), before);
}

TEST(CudaStep, AccumulatesMicroBatchesAsTheCpuDoes) {
  SKIP_WITHOUT_CUDA();
  const Batch batch = training_batch(4, 33);
  std::vector<double> losses;
  std::vector<Gradients> gradients;
  for (const engine::Device device : {engine::kCpu, kCuda}) {
    TrainerOptions options = small_training(DType::f32, device);
    options.accumulate = 2;
    Trainer trainer(options);
    use_weights_with_gradients(trainer);
    losses.push_back(trainer.compute_gradients({batch.views, batch.boxes}).loss);
    gradients.push_back(gradients_of(trainer));
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5);  // 2e-6 measured
  const auto [distance, name] = farthest(gradients[1], gradients[0]);
  EXPECT_LE(distance, 0.002) << name;  // as above, in f32
}

}  // namespace
}  // namespace pixpro
