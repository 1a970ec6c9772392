// What is written down about every training step, and what a run has done so far.
#pragma once

#include <string>
#include <vector>

#include "pixpro/data/reason_counts.h"
#include "pixpro/train/step_numbers.h"

namespace pixpro {

struct StepRecord {
  StepResult result{};
  int64_t epoch = 0;  // 0, 1, ...
  double images_per_second = 0.0;
  double wait_fraction = 0.0;  // part of the step's time that was spent waiting for images
  int64_t broken_images = 0;   // found from the last start of the run up to this step
  ReasonCounts broken{};       // the same by reason
  int64_t skipped_steps = 0;   // steps up to this one that were skipped, see StepResult
};

// Where the history in a metrics file ends.
struct HistoryEnd {
  int64_t bytes = 0;        // length of the history
  std::string last_line{};  // without its line break; tells the file from that of another run
};

// What a run has done so far, apart from its trainer's state. The steps themselves are recorded in
// the metrics file alone.
struct RunState {
  int64_t steps_done = 0;     // steps that are finished
  int64_t skipped_steps = 0;  // steps among them that were skipped, see StepResult
  HistoryEnd history{};
  ReasonCounts broken{};  // images, found since this start
};

// Calls visit(name, number) for every number of a record, in the order in which they are written
// down. Neither `skipped` nor counts by reason are among them. Record: StepRecord, const or not.
template <class Record, class Visit>
void for_each_number(Record& record, Visit&& visit) {
  auto& r = record.result;
  visit("epoch", record.epoch);
  visit("step", r.step);
  visit("loss", r.loss);
  visit("lr", r.learning_rate);
  visit("momentum", r.momentum);
  for (const auto& [name, value] : kCollapseMeasures) visit(name, r.collapse.*value);
  visit("images_per_second", record.images_per_second);
  visit("wait_fraction", record.wait_fraction);
  visit("broken_images", record.broken_images);
  visit("skipped_steps", record.skipped_steps);
  visit("loss_scale", r.loss_scale);
}

// The steps in the table of an older checkpoint: f64 [steps,14], the numbers in the order in which
// they were written down then. Numbers that were added later are 0. Throws Error if the tensor is
// not such a table.
std::vector<StepRecord> steps_of(const Tensor& table);

}  // namespace pixpro
