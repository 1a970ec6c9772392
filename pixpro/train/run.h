// The training loop.
//
// The numbers of a step arrive one step late. A device computes a step long after the host has
// queued it. If the host waited for the loss of a step before it queued the next one, the device
// would stand idle in between. So every turn of the loop first starts a step and then finishes the
// one before: it waits for that one's numbers and records them. The loop waits for the step that it
// started last only before an interlude, which looks at the trainer, and at the end of the run.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "pixpro/data/batches/loader.h"
#include "pixpro/train/step_record.h"
#include "pixpro/train/trainer.h"

namespace pixpro {

// Something to do between two steps, such as a checkpoint or an evaluation. All steps before it
// have been finished and recorded when it acts.
struct Interlude {
  // Whether it is due after `steps_done` steps. last: no step will follow, because the run is
  // complete, a stop has been requested or an error has ended it.
  std::function<bool(int64_t steps_done, bool last)> due;
  std::function<void(bool last)> act;
};

// What a run asks and tells its owner.
struct RunHooks {
  // Throws Interrupted if a stop is requested while it waits. With several ranks it must not,
  // because the others would wait for this one: it waits for its batch.
  std::function<Batch()> next_batch;
  // Seconds that all calls of next_batch so far have spent waiting for images.
  std::function<double()> wait_seconds = [] { return 0.0; };
  // Called for every step, in order, when its numbers have arrived.
  std::function<void(const StepRecord&)> record = [](const StepRecord&) {};
  // Asked once after every step but the last. Several ranks stop after the same step: each one's
  // answer travels with the numbers of the next step.
  std::function<bool()> stop_requested = [] { return false; };
  // With several ranks: the broken images that any of them has found, each once. Called on all
  // ranks after the same step, if one has found more.
  std::function<ReasonCounts()> broken_of_ranks = {};
  std::vector<Interlude> interludes = {};  // the due ones act in this order
};

// An error of a hook or of the trainer ends the run. The step that was started last is finished and
// recorded, the interludes that are due at the end act, and then the error passes through. So a
// checkpoint loses nothing, whatever ends the run. A step whose numbers are not finite is recorded
// too: it has left the weights as they were, and counts as skipped.
//
// Several ranks make the same steps and interludes, and a SharedError ends all of them after the
// same step. After any other error of one rank the others are in the middle of a step, so nothing
// more can be done together: the error passes through at once, and whoever started the ranks ends
// them.
class TrainingRun {
 public:
  // Continues after the steps that the trainer has done. Every finished step is counted in the
  // state; next_batch may add to state.broken, the images that this rank has found. Trainer and
  // state must outlive the run.
  TrainingRun(Trainer& trainer, RunState& state, RunHooks hooks);

  // Trains to the last step of the trainer's schedule. Returns false if it stopped before because a
  // stop was requested.
  bool train();

  // One turn of the loop: starts a step and finishes the one before. Returns false, and does
  // nothing, if next_batch throws Interrupted.
  bool next();
  // Finishes the step that was started last, if that has not been done.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  struct Started {
    int64_t epoch = 0;
    ReasonCounts broken{};  // images of this rank, found before the step
    Clock::time_point begun{};
  };
  void finish(const Started& step, Clock::time_point end);
  const ReasonCounts& broken_of_ranks(int64_t found);
  bool stop_requested() const;
  void pause(bool last);
  void end_after_error();

  Trainer& trainer_;
  RunState& state_;
  const RunHooks hooks_;
  std::unique_ptr<Started> started_;  // the step that was started last, until it is finished
  int64_t found_ = 0;                 // broken images, by all ranks
  ReasonCounts broken_{};             // the same, each image once
  bool ranks_stop_ = false;           // a rank has been asked to stop
  bool at_end_ = false;               // the interludes at the end have begun to act
};

}  // namespace pixpro
