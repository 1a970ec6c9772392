// Tests pixpro/train/trainer.cpp (and weights.cpp): what training steps promise besides the
// reference numbers of golden_step_test.cpp.
#include "pixpro/train/trainer.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>
#include <map>

#include "engine/tensor_ops.h"
#include "pixpro/weights/weights.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::all_weights;
using test_support::Batch;
using test_support::farthest;
using test_support::gradients_of;
using test_support::small_training;
using test_support::training_batch;
using test_support::use_weights_with_gradients;

// With an instance branch too.
TrainerOptions instance_training(DType precision) {
  TrainerOptions options = small_training(precision);
  options.model.instance_weight = 0.5;
  return options;
}

TEST(Trainer, SameSeedSameBits) {
  std::vector<std::vector<double>> runs;
  for (int run = 0; run < 2; ++run) {
    Trainer trainer(small_training());
    for (int step = 0; step < 2; ++step) {
      const Batch batch = training_batch(2, 33, "views" + std::to_string(step));
      trainer.step({batch.views, batch.boxes});
    }
    runs.push_back(all_weights(trainer));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

// With two threads the two branches run at the same time. In float64, because the f32 kernels of
// the library round differently on other numbers of threads.
TEST(Trainer, TheSameBitsOnAnyNumberOfThreads) {
  const int before = omp_get_max_threads();
  TrainerOptions options = small_training();
  options.precision = DType::f64;
  std::vector<std::vector<double>> runs;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    Trainer trainer(options);
    use_weights_with_gradients(trainer);
    for (int step = 0; step < 2; ++step) {
      const Batch batch = training_batch(2, 33, "views" + std::to_string(step));
      trainer.step({batch.views, batch.boxes});
    }
    runs.push_back(all_weights(trainer));
  }
  omp_set_num_threads(before);
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0], runs[2]);
}

TEST(Trainer, AccumulatesTheMeanOfTheGradientsOfMicroBatches) {
  // Two micro-batches of two images, against each of them as a batch of its own.
  TrainerOptions options = small_training();
  options.precision = DType::f64;
  const Batch batch = training_batch(4, 64);
  options.accumulate = 2;
  Trainer whole(options);
  use_weights_with_gradients(whole);
  const StepResult result = whole.compute_gradients({batch.views, batch.boxes});

  options.accumulate = 1;
  Trainer parts(options);
  use_weights_with_gradients(parts);
  double loss = 0.0;
  for (int64_t part = 0; part < 2; ++part) {
    const auto half = [&](const Tensor& t) {
      return engine::concatenate_rows({t.rows(2 * part, 2), t.rows(4 + 2 * part, 2)});
    };
    loss += 0.5 * parts.compute_gradients({half(batch.views), half(batch.boxes)}).loss;
  }
  EXPECT_NEAR(result.loss, loss, 1e-12);
  const auto [distance, name] = farthest(gradients_of(whole), gradients_of(parts, 0.5));
  EXPECT_LE(distance, 1e-9) << name;
}

TEST(Trainer, RefusesABatchThatDoesNotSplit) {
  TrainerOptions options = small_training();
  options.accumulate = 3;
  Trainer trainer(options);
  const Batch batch = training_batch(4, 64);
  EXPECT_THROW(trainer.step({batch.views, batch.boxes}), engine::Error);
}

TEST(Trainer, ALossThatIsNotFiniteLeavesTheOnlineWeightsAlone) {
  Trainer trainer(small_training());
  Batch batch = training_batch(2, 33);
  batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  const auto weight = [&] {
    return engine::to_values(trainer.model().parameters()[0].var.value());
  };
  const std::vector<double> before = weight();
  EXPECT_THROW(trainer.step({batch.views, batch.boxes}), engine::Error);
  EXPECT_EQ(weight(), before);
}

// Whichever micro-batch spoils the step.
TEST(Trainer, ALossThatIsNotFiniteLeavesTheBuffersAlone) {
  TrainerOptions options = instance_training(DType::f32);
  options.accumulate = 2;
  Trainer trainer(options);
  const Batch good = training_batch(2, 64);
  trainer.step({good.views, good.boxes});
  const auto buffers = [&] {
    std::map<std::string, std::vector<double>> all;
    for (const layers::NamedTensor& b : trainer.model().buffers()) {
      all[b.name] = engine::to_values(b.tensor);
    }
    return all;
  };
  const auto before = buffers();
  for (const int64_t image : {0, 1}) {
    Batch bad = training_batch(2, 64);
    bad.views.rows(image, 1).data<float>()[0] = std::numeric_limits<float>::infinity();
    EXPECT_THROW(trainer.step({bad.views, bad.boxes}), engine::Error);
    EXPECT_EQ(buffers(), before);
  }
  trainer.step({good.views, good.boxes});
  auto after = buffers();
  EXPECT_NE(after, before);
  EXPECT_EQ(after["encoder_k.bn1.num_batches_tracked"], std::vector<double>{8.0});
}

TEST(Trainer, MemoryStaysLevelFromStepToStep) {
  const int threads_before = omp_get_max_threads();
  for (const int threads : {1, 2}) {
    omp_set_num_threads(threads);
    Trainer trainer(small_training());
    const Batch batch = training_batch(2, 33);
    const auto stats = [] { return engine::allocator_of(engine::kCpu).stats(); };
    trainer.step({batch.views, batch.boxes});
    trainer.step({batch.views, batch.boxes});
    const engine::MemoryStats before = stats();
    for (int i = 0; i < 3; ++i) trainer.step({batch.views, batch.boxes});
    const engine::MemoryStats after = stats();
    EXPECT_EQ(after.current_bytes, before.current_bytes);
#ifndef __SANITIZE_ADDRESS__
    // With two threads the branches run at the same time, and the order in which they allocate
    // changes how free memory is divided.
    const int64_t held = before.current_bytes + before.cached_bytes;
    EXPECT_LE(after.current_bytes + after.cached_bytes, held + (threads == 1 ? 0 : held / 20));
    if (threads == 1) {
      EXPECT_EQ(after.system_allocations, before.system_allocations);
    }
#endif
  }
  omp_set_num_threads(threads_before);
}

// The update of a step is made at the beginning of the next one, which nobody must be able to see.
TEST(Trainer, LookingAtTheStateAfterEveryStepChangesNothing) {
  std::vector<std::vector<double>> runs;
  for (const bool looks : {false, true}) {
    Trainer trainer(instance_training(DType::f32));
    for (int step = 0; step < 3; ++step) {
      const Batch batch = training_batch(2, 33, "views" + std::to_string(step));
      trainer.step({batch.views, batch.boxes});
      if (looks) trainer.state();
    }
    runs.push_back(all_weights(trainer));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(Trainer, AfterAStepTheMomentumEncoderHasNotFollowedYet) {
  Trainer trainer(instance_training(DType::f64));
  const Batch batch = training_batch(2, 33);
  const auto values = [&] {
    std::map<std::string, std::vector<double>> all;
    for (const layers::NamedVar& p : trainer.model().parameters()) {
      all[p.name] = engine::to_values(p.var.value());
    }
    return all;
  };
  auto before = values();
  for (int step = 0; step < 3; ++step) {
    const double m = trainer.step({batch.views, batch.boxes}).momentum;
    auto after = values();
    EXPECT_NE(after["encoder.conv1.weight"], before["encoder.conv1.weight"]);
    for (const layers::NamedTensor& follower : trainer.model().momentum_encoder()) {
      std::string name = follower.name;
      name.insert(name.find('.'), "_k");
      // What it followed are the parameters at the beginning of this step.
      const std::vector<double>&key = before[name], &online = before[follower.name];
      const std::vector<double>& found = after[name];
      ASSERT_EQ(found.size(), online.size()) << name;
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_NEAR(found[i], m * key[i] + (1.0 - m) * online[i], 1e-14) << name;
      }
    }
    before = std::move(after);
  }
}

TEST(Trainer, GradientsThatWaitForTheirUpdateTakeNoExtraMemory) {
  const Batch batch = training_batch(2, 33);
  std::vector<int64_t> peaks;
  for (const bool waits : {false, true}) {
    Trainer trainer(small_training());
    for (int step = 0; step < 3; ++step) {
      engine::allocator_of(engine::kCpu).reset_peak();
      trainer.step({batch.views, batch.boxes});
      if (!waits) trainer.model();
    }
    peaks.push_back(engine::allocator_of(engine::kCpu).stats().peak_bytes);
  }
  EXPECT_EQ(peaks[0], peaks[1]);
}

TEST(Trainer, CollapseMeasuresTellACollapsedNetworkFromAHealthyOne) {
  TrainerOptions options = small_training();
  const Batch batch = training_batch(2, 96);
  Trainer healthy(options);
  const CollapseMeasures fresh = healthy.compute_gradients({batch.views, batch.boxes}).collapse;
  EXPECT_GT(fresh.feature_std, 0.01);

  // Last layers of zero weight and constant bias: every pixel gets the same feature.
  Trainer collapsed(options);
  for (const layers::NamedVar& p : collapsed.model().parameters()) {
    const bool last_weight =
        p.name.ends_with("linear2.weight") || p.name == "value_transform.weight";
    Tensor value = p.var.value();
    if (last_weight) engine::copy_into(engine::zeros(value.shape()), value);
    if (p.name.ends_with("linear2.bias"))
      engine::copy_into(engine::full(value.shape(), 1.0), value);
    if (p.name == "value_transform.bias")
      engine::copy_into(engine::full(value.shape(), 1.0), value);
  }
  const StepResult result = collapsed.compute_gradients({batch.views, batch.boxes});
  EXPECT_NEAR(result.loss, -4.0, 1e-3);  // the lowest loss there is
  EXPECT_LT(result.collapse.feature_std, 1e-3);
  EXPECT_NEAR(result.collapse.positive_similarity, 1.0, 1e-3);
  EXPECT_NEAR(result.collapse.other_similarity, 1.0, 1e-3);
}

TEST(Trainer, LearnsOneBatchByHeart) {
  TrainerOptions options = small_training();
  options.optimizer = {.lars = false, .weight_decay = 0.0};
  options.schedule = {.base = 0.05, .total_steps = 30};
  Trainer trainer(options);
  const Batch batch = training_batch(4, 64);
  const double first = trainer.step({batch.views, batch.boxes}).loss;
  double last = first;
  for (int step = 1; step < 30; ++step) last = trainer.step({batch.views, batch.boxes}).loss;
  EXPECT_LT(last, first - 0.5);
}

TEST(Weights, ReturnToAnotherModel) {
  Trainer source(small_training());
  TrainerOptions other = small_training();
  other.seed = 5;
  other.precision = DType::f64;
  Trainer target(other);
  const LoadReport report = load_weights(weights_of(source.model()), target.model());
  EXPECT_TRUE(report.unused.empty() && report.kept.empty());
  EXPECT_EQ(all_weights(source), all_weights(target));
}

TEST(Weights, NameWhatIsMissingMisshapenOrNotFinite) {
  Trainer trainer(small_training());
  engine::TensorFile file = weights_of(trainer.model());
  const auto message = [&] {
    try {
      load_weights(file, trainer.model());
    } catch (const engine::Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  file.tensors["encoder.conv1.weight"] = engine::zeros({64, 3, 3, 3});
  EXPECT_NE(message().find("'encoder.conv1.weight' has the shape [64,3,3,3], expected [64,3,7,7]"),
            std::string::npos)
      << message();
  file.tensors.erase("encoder.conv1.weight");
  EXPECT_NE(message().find("encoder.conv1.weight"), std::string::npos) << message();
  file.tensors["encoder.conv1.weight"] = engine::full({64, 3, 7, 7}, std::nan(""));
  EXPECT_NE(message().find("'encoder.conv1.weight' holds a value that is not a finite number"),
            std::string::npos)
      << message();
}

TEST(Weights, BuffersMayBeMissingAndOthersMayBeMore) {
  Trainer trainer(small_training());
  engine::TensorFile file = weights_of(trainer.model());
  file.tensors.erase("encoder.bn1.running_mean");
  file.tensors["fc.weight"] = engine::zeros({2});
  const LoadReport report = load_weights(file, trainer.model());
  EXPECT_EQ(report.kept, std::vector<std::string>{"encoder.bn1.running_mean"});
  EXPECT_EQ(report.unused, std::vector<std::string>{"fc.weight"});
}

}  // namespace
}  // namespace pixpro
