// What is written down about every training step, and what a run has done so far.
#pragma once

#include <vector>

#include "pixpro/train/step_numbers.h"

namespace pixpro {

struct StepRecord {
  StepResult result{};
  int64_t epoch = 0;  // 0, 1, ...
  double images_per_second = 0.0;
  double wait_fraction = 0.0;  // part of the step's time that was spent waiting for images
  int64_t broken_images = 0;   // unreadable images found up to this step
  int64_t skipped_steps = 0;   // steps up to this one that were skipped, see StepResult
};

// What a run has done so far, apart from its trainer's state.
struct RunState {
  std::vector<StepRecord> steps;
  std::vector<int64_t> broken_images;  // numbers of the samples that could not be read
};

// Calls visit(name, number) for every number of a record, in the order in which they are written
// down. `skipped` is not among them. Record: StepRecord, const or not.
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

// Records as a table for a checkpoint, f64 [steps, numbers], and back. steps_of throws Error if the
// tensor is not such a table.
Tensor table_of(const std::vector<StepRecord>& steps);
std::vector<StepRecord> steps_of(const Tensor& table);

}  // namespace pixpro
