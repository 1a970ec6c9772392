#include "pixpro/train/run.h"

#include <utility>

namespace pixpro {

TrainingRun::TrainingRun(Trainer& trainer, RunState& state, RunHooks hooks)
    : trainer_(trainer), state_(state), hooks_(std::move(hooks)) {}

bool TrainingRun::train() {
  while (trainer_.steps_done() < trainer_.total_steps()) {
    next();
    const bool complete = trainer_.steps_done() == trainer_.total_steps();
    const bool stop = !complete && hooks_.stop_requested();
    pause(complete || stop);
    if (stop) return false;
  }
  return true;
}

void TrainingRun::next() {
  const Clock::time_point begun = Clock::now();
  const double waited_before = hooks_.wait_seconds();
  const Batch batch = hooks_.next_batch();
  trainer_.start_step(batch.views, batch.boxes);
  finish(begun);
  const auto broken = static_cast<int64_t>(state_.broken_images.size());
  started_ = {.record = {.epoch = batch.epoch, .broken_images = broken},
              .images = batch.size(),
              .begun = begun,
              .waited = hooks_.wait_seconds() - waited_before};
}

// A step takes from its own beginning to that of the next one, or to its end if none follows.
void TrainingRun::finish(std::optional<Clock::time_point> next_begun) {
  if (!started_) return;
  auto [record, images, begun, waited] = *std::exchange(started_, std::nullopt);
  record.result = trainer_.finish_step();
  const Clock::time_point end = next_begun.value_or(Clock::now());
  const double seconds = std::chrono::duration<double>(end - begun).count();
  record.images_per_second = static_cast<double>(images) / seconds;
  record.wait_fraction = waited / seconds;
  if (record.result.skipped) ++state_.skipped_steps;
  record.skipped_steps = state_.skipped_steps;
  ++state_.steps_done;
  hooks_.record(record);
}

// What happens between the step that was started last and the next one.
void TrainingRun::pause(bool last) {
  for (const Interlude& interlude : hooks_.interludes) {
    if (!interlude.due(trainer_.steps_done(), last)) continue;
    finish();
    interlude.act();
  }
  if (last) finish();
}

}  // namespace pixpro
