// Several ranks make the steps that one rank makes: losses, gradients, weights and buffers.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <mutex>

#include "engine/tensor_ops.h"
#include "pixpro/train/run.h"
#include "tests/support/thread_ranks.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::Communicator;
using engine::DType;
using test_support::Batch;
using test_support::farthest;
using test_support::Gradients;
using test_support::on_ranks;
using test_support::small_training;
using test_support::training_batch;
using test_support::use_weights_with_gradients;

constexpr int64_t kImages = 8;

struct Steps {
  std::vector<StepResult> results;
  Gradients gradients;                // of the first step
  std::map<std::string, Tensor> end;  // the state after the last one
};

Steps train(TrainerOptions options, int steps, Communicator* ranks = nullptr) {
  options.ranks = ranks;
  Trainer trainer(options);
  use_weights_with_gradients(trainer);
  Steps all;
  for (int step = 0; step < steps; ++step) {
    const Batch batch = training_batch(kImages, 33, "views" + std::to_string(step));
    StepInput input{batch.views, batch.boxes};
    if (ranks) input = part_of_rank(input, ranks->rank(), ranks->size(), options.accumulate);
    all.results.push_back(trainer.compute_gradients(input));
    if (step == 0) {
      for (const auto& [name, gradient] : test_support::gradients_of(trainer)) {
        all.gradients[name] = engine::clone(gradient);
      }
    }
    trainer.update();
  }
  for (const auto& [name, tensor] : trainer.state().tensors) all.end[name] = engine::clone(tensor);
  return all;
}

void expect_same(const Steps& found, const Steps& expected, double after_one, double after_all) {
  for (size_t step = 0; step < expected.results.size(); ++step) {
    const double most = step == 0 ? after_one : after_all;
    const StepResult &f = found.results[step], &e = expected.results[step];
    EXPECT_EQ(f.images, e.images);
    EXPECT_NEAR(f.loss, e.loss, most);
    EXPECT_EQ(f.learning_rate, e.learning_rate);
    for (const auto& [name, value] : kCollapseMeasures) {
      EXPECT_NEAR(f.collapse.*value, e.collapse.*value, most * (1.0 + e.collapse.*value)) << name;
    }
  }
  const auto [distance, name] = farthest(found.gradients, expected.gradients);
  EXPECT_LE(distance, after_one) << name;
  const auto last = farthest(found.end, expected.end);
  EXPECT_LE(last.distance, after_all) << last.name;
}

struct Case {
  std::string name;
  TrainerOptions options;
  int ranks;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

TrainerOptions options_of(bool contrast, int64_t accumulate) {
  TrainerOptions options = small_training(DType::f64);
  options.accumulate = accumulate;
  options.model.contrast = contrast;
  options.model.propagation.transform_layers = contrast ? 0 : 2;
  options.model.instance_weight = contrast ? 0.0 : 0.5;
  options.buckets = {.first_bucket_bytes = 1 << 10, .bucket_bytes = 1 << 16};
  return options;
}

class EqualToOneRank : public testing::TestWithParam<Case> {};

TEST_P(EqualToOneRank, InLossesGradientsWeightsAndBuffers) {
  const Case& c = GetParam();
  const Steps one = train(c.options, 3);
  std::mutex mutex;
  on_ranks(c.ranks, [&](Communicator& ranks) {
    const Steps here = train(c.options, 3, &ranks);
    const std::lock_guard lock(mutex);
    expect_same(here, one, 1e-9, 1e-7);
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, EqualToOneRank,
                         testing::Values(Case{"Two", options_of(false, 1), 2},
                                         Case{"ThreeWithUnequalParts", options_of(false, 1), 3},
                                         Case{"FourAndMicroBatches", options_of(false, 2), 4},
                                         Case{"ContrastOnThree", options_of(true, 2), 3}),
                         [](const auto& c) { return c.param.name; });

// Every rank holds the same bits, and so does a second run.
TEST(Ranks, HaveTheSameBits) {
  std::vector<std::vector<double>> all;
  std::mutex mutex;
  for (int run = 0; run < 2; ++run) {
    on_ranks(3, [&](Communicator& ranks) {
      TrainerOptions options = small_training();
      options.ranks = &ranks;
      Trainer trainer(options);
      for (int step = 0; step < 2; ++step) {
        const Batch batch = training_batch(3, 33, "views" + std::to_string(step));
        trainer.step(part_of_rank({batch.views, batch.boxes}, ranks.rank(), 3, 1));
      }
      std::vector<double> weights = test_support::all_weights(trainer);
      const std::lock_guard lock(mutex);
      all.push_back(std::move(weights));
    });
  }
  for (const auto& weights : all) EXPECT_EQ(weights, all.front());
}

TEST(Ranks, BeginWithTheWeightsOfRankZero) {
  std::vector<std::vector<double>> all(2);
  on_ranks(2, [&](Communicator& ranks) {
    TrainerOptions options = small_training();
    options.ranks = &ranks;
    options.seed = static_cast<uint64_t>(ranks.rank());
    Trainer trainer(options);
    all[static_cast<size_t>(ranks.rank())] = test_support::all_weights(trainer);
  });
  EXPECT_EQ(all[0], all[1]);
}

// One rank's images are not finite: no rank changes its weights, and all throw after the same step.
TEST(Ranks, MeetALossThatIsNotFiniteTogether) {
  std::mutex mutex;
  on_ranks(3, [&](Communicator& ranks) {
    TrainerOptions options = small_training();
    options.ranks = &ranks;
    Trainer trainer(options);
    const std::vector<double> before = test_support::all_weights(trainer);
    Batch batch = training_batch(1, 33);
    if (ranks.rank() == 1) batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    bool refused = false;
    try {
      trainer.step({batch.views, batch.boxes});
    } catch (const NotFinite& error) {
      refused = error.step().skipped;
    }
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(refused);
    EXPECT_EQ(test_support::all_weights(trainer), before);
  });
}

// Each rank normalises by its own statistics, as one rank does with micro-batches.
TEST(Ranks, MayKeepTheStatisticsOfBatchNormToThemselves) {
  TrainerOptions options = options_of(false, 2);
  const Batch batch = training_batch(kImages, 33);
  Trainer one(options);
  use_weights_with_gradients(one);
  const double loss = one.compute_gradients({batch.views, batch.boxes}).loss;
  const Gradients expected = test_support::gradients_of(one);
  options.accumulate = 1;
  options.sync_batch_norm = false;
  std::mutex mutex;
  on_ranks(2, [&](Communicator& ranks) {
    TrainerOptions own = options;
    own.ranks = &ranks;
    Trainer trainer(own);
    use_weights_with_gradients(trainer);
    const StepResult result =
        trainer.compute_gradients(part_of_rank({batch.views, batch.boxes}, ranks.rank(), 2, 1));
    const std::lock_guard lock(mutex);
    EXPECT_NEAR(result.loss, loss, 1e-12);
    EXPECT_LE(farthest(test_support::gradients_of(trainer), expected).distance, 1e-9);
  });
}

// More steps than the runs of the following tests make.
TrainerOptions options_of_run(Communicator& ranks) {
  TrainerOptions options = small_training();
  options.schedule.total_steps = 100;
  options.ranks = &ranks;
  return options;
}

// Every rank has a run with hooks of its own. Rank 1 is asked to stop, and every rank has broken
// images.
TEST(Ranks, StopAfterTheSameStepAndCountTogether) {
  std::mutex mutex;
  std::vector<int64_t> stopped_after;
  on_ranks(3, [&](Communicator& ranks) {
    Trainer trainer(options_of_run(ranks));
    RunState state;
    std::vector<StepRecord> steps;
    int exchanges = 0;
    const auto batch = [&]() -> pixpro::Batch {
      if (trainer.steps_done() == 1) state.broken = {{"odd", ranks.rank()}};
      const Batch b = training_batch(1, 33);
      return {.views = b.views, .boxes = b.boxes};
    };
    const auto exchange = [&] {
      ++exchanges;
      return ReasonCounts{{"odd", 2}};  // rank 1's is one of rank 2's
    };
    TrainingRun run(trainer, state,
                    {.next_batch = batch,
                     .record = [&](const StepRecord& step) { steps.push_back(step); },
                     .stop_requested = [&] { return ranks.rank() == 1 && state.steps_done >= 2; },
                     .broken_of_ranks = exchange});
    EXPECT_FALSE(run.train());
    const std::lock_guard lock(mutex);
    stopped_after.push_back(trainer.steps_done());
    ASSERT_EQ(steps.size(), static_cast<size_t>(trainer.steps_done()));
    EXPECT_EQ(steps[0].broken_images, 0);
    EXPECT_EQ(steps[1].broken_images, 2);
    EXPECT_EQ(steps[1].result.report.broken_images, 0 + 1 + 2);
    EXPECT_EQ(exchanges, 1);
    EXPECT_EQ(steps.back().result.images, 3);
  });
  EXPECT_EQ(stopped_after, std::vector<int64_t>(3, stopped_after.front()));
  EXPECT_LT(stopped_after.front(), 8);
}

// Rank 1 has images that are not finite in its third step. All end after the same step, and save.
TEST(Ranks, EndTheirRunsAfterTheSameStepThatIsNotFinite) {
  std::mutex mutex;
  on_ranks(3, [&](Communicator& ranks) {
    Trainer trainer(options_of_run(ranks));
    RunState state;
    int64_t batches = 0, recorded = 0, saved_at = 0;
    const auto batch = [&]() -> pixpro::Batch {
      Batch b = training_batch(1, 33);
      if (++batches == 3 && ranks.rank() == 1) {
        b.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
      }
      return {.views = b.views, .boxes = b.boxes};
    };
    const Interlude save{.due = [](int64_t, bool last) { return last; },
                         .act = [&](bool) { saved_at = trainer.steps_done(); }};
    TrainingRun run(trainer, state,
                    {.next_batch = batch,
                     .record = [&](const StepRecord&) { ++recorded; },
                     .interludes = {save}});
    bool threw = false;
    try {
      run.train();
    } catch (const NotFinite&) {
      threw = true;
    }
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(threw);
    EXPECT_EQ(trainer.steps_done(), 4);  // it is noticed when the next step has begun
    EXPECT_EQ(recorded, 4);
    EXPECT_EQ(saved_at, 4);
    EXPECT_EQ(state.skipped_steps, 1);
  });
}

}  // namespace
}  // namespace pixpro
