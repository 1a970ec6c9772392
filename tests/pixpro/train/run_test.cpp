// Tests pixpro/train/run.cpp: in which order a run starts, finishes and records its steps, and what
// it does at a checkpoint, at a stop, at an error and at the end.
#include "pixpro/train/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/error_of.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using test_support::all_weights;
using test_support::small_training;
using test_support::training_batch;

using Events = std::vector<std::string>;

TrainerOptions training(int64_t total_steps) {
  TrainerOptions options = small_training();
  options.schedule.total_steps = total_steps;
  return options;
}

// Two steps per epoch; every step has a batch of its own.
Batch batch_of(int64_t step) {
  const test_support::Batch made = training_batch(2, 32, "views" + std::to_string(step));
  return {.views = made.views, .boxes = made.boxes, .epoch = step / 2, .step = step % 2};
}

// A short run whose hooks write down what happens.
class Run : public testing::Test {
 protected:
  RunHooks hooks() {
    return {.next_batch =
                [this] {
                  const int64_t step = trainer_.steps_done();
                  note("batch", step);
                  return batch_of(step);
                },
            .record =
                [this](const StepRecord& record) {
                  note("record", record.result.step);
                  steps_.push_back(record);
                }};
  }
  // An interlude that is due after these steps, and after the last one.
  Interlude interlude(const char* name, std::vector<int64_t> steps = {}) {
    return {
        .due = [steps](int64_t done,
                       bool last) { return last || std::ranges::find(steps, done) != steps.end(); },
        .act = [this, name](bool) { note(name, trainer_.steps_done()); }};
  }
  void note(const char* event, int64_t step) {
    events_.push_back(event + (" " + std::to_string(step)));
  }

  Trainer trainer_{training(4)};
  RunState state_;
  std::vector<StepRecord> steps_;  // as recorded
  Events events_;
};

TEST_F(Run, RecordsAStepWhenTheNextOneHasBeenStarted) {
  TrainingRun run(trainer_, state_, hooks());
  EXPECT_TRUE(run.train());
  EXPECT_EQ(events_, (Events{"batch 0", "batch 1", "record 0", "batch 2", "record 1", "batch 3",
                             "record 2", "record 3"}));
  ASSERT_EQ(steps_.size(), 4U);
  for (size_t step = 0; step < 4; ++step) {
    EXPECT_EQ(steps_[step].result.step, static_cast<int64_t>(step));
    EXPECT_EQ(steps_[step].epoch, static_cast<int64_t>(step / 2));
    EXPECT_GT(steps_[step].images_per_second, 0.0);
    EXPECT_EQ(steps_[step].wait_fraction, 0.0);
  }
}

TEST_F(Run, TrainsAsStepsInTurnDo) {
  TrainingRun(trainer_, state_, hooks()).train();
  Trainer in_turn(training(4));
  for (int64_t step = 0; step < 4; ++step) {
    const Batch batch = batch_of(step);
    const StepResult expected = in_turn.step({batch.views, batch.boxes});
    EXPECT_EQ(steps_[static_cast<size_t>(step)].result.loss, expected.loss);
  }
  EXPECT_EQ(all_weights(trainer_), all_weights(in_turn));
}

TEST_F(Run, FinishesTheStepBeforeAnInterlude) {
  RunHooks asked = hooks();
  asked.interludes = {interlude("evaluate", {2}), interlude("save", {2})};
  EXPECT_TRUE(TrainingRun(trainer_, state_, asked).train());
  EXPECT_EQ(events_,
            (Events{"batch 0", "batch 1", "record 0", "record 1", "evaluate 2", "save 2", "batch 2",
                    "batch 3", "record 2", "record 3", "evaluate 4", "save 4"}));
}

TEST_F(Run, AnInterludeMayLookAtTheStateOfTheTrainer) {
  RunHooks asked = hooks();
  int64_t recorded = 0;
  asked.interludes = {{.due = [](int64_t done, bool) { return done == 3; },
                       .act =
                           [&](bool) {
                             EXPECT_NO_THROW(trainer_.state());
                             recorded = state_.steps_done;
                           }}};
  TrainingRun(trainer_, state_, asked).train();
  EXPECT_EQ(recorded, 3);
}

TEST_F(Run, AStopIsTheLastStepForInterludes) {
  RunHooks asked = hooks();
  asked.stop_requested = [&] { return trainer_.steps_done() == 2; };
  asked.interludes = {interlude("save")};
  TrainingRun run(trainer_, state_, asked);
  EXPECT_FALSE(run.train());
  EXPECT_EQ(events_, (Events{"batch 0", "batch 1", "record 0", "record 1", "save 2"}));

  events_.clear();  // a run that is asked to go on does so
  asked.stop_requested = [] { return false; };
  EXPECT_TRUE(TrainingRun(trainer_, state_, asked).train());
  EXPECT_EQ(events_, (Events{"batch 2", "batch 3", "record 2", "record 3", "save 4"}));
}

TEST_F(Run, AStopAtTheLastStepComesTooLate) {
  RunHooks asked = hooks();
  asked.stop_requested = [&] { return trainer_.steps_done() == 4; };
  EXPECT_TRUE(TrainingRun(trainer_, state_, asked).train());
}

TEST_F(Run, ThatIsCompleteDoesNothing) {
  EXPECT_TRUE(TrainingRun(trainer_, state_, hooks()).train());
  events_.clear();
  RunHooks asked = hooks();
  asked.interludes = {interlude("save")};
  EXPECT_TRUE(TrainingRun(trainer_, state_, asked).train());
  EXPECT_EQ(events_, Events{});
}

TEST_F(Run, AnInterruptedWaitIsAStop) {
  RunHooks asked = hooks();
  asked.next_batch = [&] {
    if (trainer_.steps_done() == 2) throw Interrupted("while images were read");
    return batch_of(0);
  };
  asked.interludes = {interlude("save")};
  EXPECT_FALSE(TrainingRun(trainer_, state_, asked).train());
  EXPECT_EQ(events_, (Events{"record 0", "record 1", "save 2"}));
}

TEST_F(Run, AnErrorOfAHookPassesThroughAfterTheLastInterludes) {
  RunHooks asked = hooks();
  asked.next_batch = [&] {
    engine::require(trainer_.steps_done() < 2, "no more images");
    return batch_of(0);
  };
  asked.interludes = {interlude("save")};
  EXPECT_EQ(test_support::error_of([&] { TrainingRun(trainer_, state_, asked).train(); }),
            "no more images");
  EXPECT_EQ(events_, (Events{"record 0", "record 1", "save 2"}));
}

TEST_F(Run, AnErrorOfTheLastInterludeIsReportedToo) {
  RunHooks asked = hooks();
  asked.next_batch = [&]() -> Batch { engine::fail("no images"); };
  int tries = 0;
  asked.interludes = {{.due = [](int64_t, bool last) { return last; },
                       .act =
                           [&](bool) {
                             ++tries;
                             engine::fail("disk full");
                           }}};
  EXPECT_EQ(test_support::error_of([&] { TrainingRun(trainer_, state_, asked).train(); }),
            "no images; then disk full");
  EXPECT_EQ(tries, 1);

  asked.next_batch = [&] { return batch_of(0); };
  EXPECT_EQ(test_support::error_of([&] { TrainingRun(trainer_, state_, asked).train(); }),
            "disk full");
  EXPECT_EQ(tries, 2) << "an interlude that fails at the end is not repeated";
}

// The steps whose numbers are not finite are recorded. The state after them can be saved and is
// finite.
TEST_F(Run, AStepThatIsNotFiniteIsNoticedWithTheNextAndNothingIsLost) {
  RunHooks asked = hooks();
  asked.next_batch = [&] {
    Batch batch = batch_of(0);
    if (trainer_.steps_done() == 1) {
      batch.views.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    }
    return batch;
  };
  asked.interludes = {interlude("save", {3})};
  engine::TensorFile saved;
  asked.interludes.push_back({.due = [](int64_t, bool last) { return last; },
                              .act = [&](bool) { saved = trainer_.state(); }});
  EXPECT_THROW(TrainingRun(trainer_, state_, asked).train(), NotFinite);
  EXPECT_EQ(events_, (Events{"record 0", "record 1", "record 2", "save 3"}));
  EXPECT_EQ(steps_[0].skipped_steps, 0);
  EXPECT_TRUE(std::isnan(steps_[1].result.loss));
  EXPECT_EQ(steps_[1].skipped_steps, 1);
  Trainer later{training(4)};
  later.load_state(saved);
  EXPECT_EQ(later.steps_done(), 3);
}

TEST_F(Run, CountsBrokenImagesAndTheTimeSpentWaiting) {
  RunHooks asked = hooks();
  double waited = 0.0;
  asked.next_batch = [&] {
    ++state_.broken["the file is empty"];
    waited += 1e-9;
    return batch_of(0);
  };
  asked.wait_seconds = [&] { return waited; };
  TrainingRun(trainer_, state_, asked).train();
  for (size_t step = 0; step < 4; ++step) {
    const StepRecord& record = steps_[step];
    EXPECT_EQ(record.broken_images, static_cast<int64_t>(step + 1));
    EXPECT_EQ(total(record.broken), record.broken_images);
    EXPECT_NEAR(record.wait_fraction, 1e-9 * record.images_per_second / 2, 1e-12);
  }
}

TEST_F(Run, CanBeTakenTurnByTurn) {
  TrainingRun run(trainer_, state_, hooks());
  run.finish();  // nothing has been started
  run.next();
  EXPECT_TRUE(steps_.empty());
  run.next();
  EXPECT_EQ(steps_.size(), 1U);
  run.finish();
  run.finish();
  EXPECT_EQ(steps_.size(), 2U);
  EXPECT_EQ(state_.steps_done, 2);
}

}  // namespace
}  // namespace pixpro
