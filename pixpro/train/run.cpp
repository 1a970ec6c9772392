#include "pixpro/train/run.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

namespace pixpro {

TrainingRun::TrainingRun(Trainer& trainer, RunState& state, RunHooks hooks)
    : trainer_(trainer), state_(state), hooks_(std::move(hooks)) {}

bool TrainingRun::train() {
  try {
    bool stop = false;
    while (!stop && trainer_.steps_done() < trainer_.total_steps()) {
      stop = !next() || stop_requested();
      const bool complete = trainer_.steps_done() == trainer_.total_steps();
      stop = stop && !complete;
      pause(complete || stop);
    }
    return !stop;
  } catch (const std::exception& error) {
    if (trainer_.ranks() > 1 && !is_shared(error)) throw;
    try {
      end_after_error();
    } catch (const std::exception& second) {
      const std::string both = error.what() + ("; then " + std::string(second.what()));
      if (is_shared(error) && is_shared(second)) throw SharedError(both);
      throw engine::Error(both);
    }
    throw;
  }
}

bool TrainingRun::next() {
  const Clock::time_point begun = Clock::now();
  const double waited_before = hooks_.wait_seconds();
  Batch batch;
  try {
    batch = hooks_.next_batch();
  } catch (const Interrupted&) {
    return false;
  }
  trainer_.start_step(
      {.views = batch.views,
       .boxes = batch.boxes,
       .report = {.wait_seconds = hooks_.wait_seconds() - waited_before,
                  .broken_images = total(state_.broken),
                  .stop_requested = trainer_.ranks() > 1 && hooks_.stop_requested()}});
  auto step = std::make_unique<Started>();
  step->epoch = batch.epoch;
  step->broken = state_.broken;
  step->begun = begun;
  const auto before = std::exchange(started_, std::move(step));
  if (before) finish(*before, begun);
  return true;
}

void TrainingRun::finish() {
  if (const auto step = std::exchange(started_, nullptr)) finish(*step, Clock::now());
}

// A step takes from its own beginning to that of the next one, or to its end if none follows.
void TrainingRun::finish(const Started& step, Clock::time_point end) {
  StepRecord record{.epoch = step.epoch};
  std::exception_ptr failure;  // thrown once the step is recorded
  try {
    record.result = trainer_.finish_step();
  } catch (const NotFinite& error) {
    record.result = error.step();
    failure = std::current_exception();
  }
  const double seconds = std::chrono::duration<double>(end - step.begun).count();
  const RankReport& report = record.result.report;
  record.images_per_second = static_cast<double>(record.result.images) / seconds;
  // The wait of another rank may fall into another step of this one.
  record.wait_fraction = std::min(1.0, report.wait_seconds / seconds);
  try {
    record.broken = trainer_.ranks() > 1 ? broken_of_ranks(report.broken_images) : step.broken;
  } catch (const SharedError&) {
    failure = std::current_exception();
  }
  record.broken_images = total(record.broken);
  ranks_stop_ = ranks_stop_ || report.stop_requested;
  if (record.result.skipped) ++state_.skipped_steps;
  record.skipped_steps = state_.skipped_steps;
  ++state_.steps_done;
  hooks_.record(record);
  if (failure) std::rethrow_exception(failure);
}

// found: by all ranks; ranks may find the same ones.
const ReasonCounts& TrainingRun::broken_of_ranks(int64_t found) {
  if (std::exchange(found_, found) != found) broken_ = hooks_.broken_of_ranks();
  return broken_;
}

bool TrainingRun::stop_requested() const {
  return trainer_.ranks() > 1 ? ranks_stop_ : hooks_.stop_requested();
}

// What happens between the step that was started last and the next one.
void TrainingRun::pause(bool last) {
  for (const Interlude& interlude : hooks_.interludes) {
    if (!interlude.due(trainer_.steps_done(), last)) continue;
    finish();
    at_end_ = last;
    interlude.act(last);
  }
  if (last) finish();
}

void TrainingRun::end_after_error() {
  if (at_end_) return;  // the error is one of theirs
  try {
    finish();
  } catch (const std::exception&) {
    // It follows from the error that ended the run, which says more.
  }
  pause(true);
}

}  // namespace pixpro
