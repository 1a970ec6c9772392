// The numbers of training steps on their way from the device to the host.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "engine/transfers.h"
#include "pixpro/method/model.h"
#include "pixpro/train/collapse.h"

namespace pixpro {

// What a training step tells.
struct StepResult {
  int64_t step = 0;  // optimiser steps done before this one
  double loss = 0.0;
  double learning_rate = 0.0;
  double momentum = 0.0;  // of the momentum encoder
  CollapseMeasures collapse{};
  bool skipped = false;     // the gradients were not finite, so the weights were left as they were
  double loss_scale = 1.0;  // by which the loss was multiplied before the backward pass (f16)
};

// What one micro-batch contributes to them, still on the device.
struct MicroBatchNumbers {
  Tensor loss;        // one element
  Tensor pairs;       // see Model::Output
  Tensor statistics;  // see feature_statistics
  int64_t pixels;     // of a feature map
};
MicroBatchNumbers numbers_of(const Model::Output& output);

// A device computes a step long after the host has queued it. To keep it busy, the host requests
// the numbers of a step (start), queues the next step, and only then waits for them (finish).
class StepNumbers {
 public:
  explicit StepNumbers(engine::Device device);

  // Throws if two steps are under way, which is the most there may be.
  void require_free_slot() const;

  // Requests the numbers of a step. known: what the host knows already. parts: one per
  // micro-batch, of equal size. not_finite: one element, f32, not 0 if the loss or a gradient is
  // not finite. loss_scale: LossScale::state().
  void start(const StepResult& known, const std::vector<MicroBatchNumbers>& parts,
             const Tensor& not_finite, const Tensor& loss_scale);

  // The numbers of the oldest step under way; waits for them. Loss and collapse measures are means
  // over the micro-batches.
  StepResult finish();

  int64_t under_way() const { return started_ - finished_; }

 private:
  struct Step {
    std::unique_ptr<engine::Readback> numbers;
    StepResult known{};
    size_t parts = 0;
    int64_t pixels = 0;
  };
  Step& slot(int64_t step) { return ring_[static_cast<size_t>(step) % ring_.size()]; }

  std::array<Step, 2> ring_;
  int64_t started_ = 0, finished_ = 0;
};

}  // namespace pixpro
