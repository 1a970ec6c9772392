// The running estimates of a network across a training step. A forward pass updates them at once,
// but only later is it known whether the step is skipped because its loss or gradients are not
// finite. A skipped step leaves them as they were.
#pragma once

#include <deque>
#include <vector>

#include "layers/module.h"

namespace pixpro {

class RunningEstimates {
 public:
  // Takes part in the training of this module, which must outlive the object.
  explicit RunningEstimates(const layers::Module& module);

  // Before the first forward pass of a step: keeps a copy of the estimates.
  void begin_step();
  // After the last one. not_finite: one element, f32, on the device; if it is not 0, the estimates
  // get the values of the copy. The host does not wait for it.
  void end_step(const engine::Tensor& not_finite);
  // When the host knows about the oldest step that has ended: the counts of batches, which are kept
  // on the host, are put right too.
  void finish_step(bool skipped);

 private:
  using Counts = std::vector<int64_t>;
  Counts counts() const;

  std::vector<engine::Tensor> estimates_;  // means and variances, on the device
  std::vector<engine::Tensor> kept_;       // their copies
  std::vector<engine::Tensor> batches_;    // num_batches_tracked, i64, on the host
  Counts counts_before_;                   // of the step that has begun
  std::deque<Counts> counted_;             // by the steps that have ended and are not finished
};

}  // namespace pixpro
