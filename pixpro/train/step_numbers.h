// The numbers of training steps on their way from the device to the host, and from every rank to
// all others.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "engine/ranks/communicator.h"
#include "engine/transfers.h"
#include "pixpro/method/model.h"
#include "pixpro/train/collapse.h"

namespace pixpro {

// What a rank reports with a step. Of several ranks: the longest wait, the sum of broken images,
// and whether any rank has been asked to stop.
struct RankReport {
  double wait_seconds = 0.0;  // for the images of the step
  int64_t broken_images = 0;  // found from the last start of the run up to this step
  bool stop_requested = false;
};

// What a training step tells, the same on every rank.
struct StepResult {
  int64_t step = 0;    // optimiser steps done before this one
  int64_t images = 0;  // of all ranks
  double loss = 0.0;
  double learning_rate = 0.0;
  double momentum = 0.0;  // of the momentum encoder
  CollapseMeasures collapse{};
  bool skipped = false;     // the gradients were not finite, so the weights were left as they were
  double loss_scale = 1.0;  // by which the loss was multiplied before the backward pass (f16)
  RankReport report{};
};

// A device computes a step long after the host has queued it. To keep it busy, the host requests
// the numbers of a step (start), queues the next step, and only then waits for them (finish).
//
// The numbers of a step travel as one message, [L] f64: the rank's report, then a block per
// micro-batch. The host makes the message, and the device fills in what it computes.
class StepNumbers {
 public:
  // lane: of the ranks that train together; null if there is one.
  StepNumbers(engine::Device device, engine::Communicator* lane);

  // A message on the host, with the report in it and room for the numbers of `micro_batches`, each
  // of `images` images and features of `channels`.
  static Tensor message(const RankReport& report, int64_t micro_batches, int64_t images,
                        int64_t channels);
  // Fills in the numbers of micro-batch `index`. message: on the device.
  static void write(const Model::Output& output, int64_t index, const Tensor& message);

  // Throws if two steps are under way, which is the most there may be.
  void require_free_slot() const;

  // Requests the numbers of a step. known: what the host knows already. message: complete, on the
  // device. pixels: of a feature map. not_finite: one element, f32, not 0 if the loss or a gradient
  // of any rank is not finite. loss_scale: LossScale::state().
  void start(const StepResult& known, const Tensor& message, int64_t pixels,
             const Tensor& not_finite, const Tensor& loss_scale);

  // The numbers of the oldest step under way; waits for them. Loss and collapse measures are means
  // over the images of the micro-batches of all ranks.
  StepResult finish();

  int64_t under_way() const { return started_ - finished_; }

 private:
  struct Step {
    std::unique_ptr<engine::Readback> numbers;
    StepResult known{};
    int64_t pixels = 0;
  };
  Step& slot(int64_t step) { return ring_[static_cast<size_t>(step) % ring_.size()]; }

  engine::Communicator* const lane_;
  std::array<Step, 2> ring_;
  int64_t started_ = 0, finished_ = 0;
};

}  // namespace pixpro
