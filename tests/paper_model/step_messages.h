// The messages of a training step on several ranks, worked out from the network.
#pragma once

#include <array>
#include <cstdint>

#include "autograd/reducer.h"
#include "pixpro/method/model.h"
#include "pixpro/train/lanes.h"

namespace paper_model {

struct Messages {
  int64_t count = 0;
  int64_t bytes = 0;     // of a rank's own tensors
  int64_t gathered = 0;  // those of them that every other rank receives; the others are summed

  void add_sum(int64_t message) { ++count, bytes += message; }
  void add_gather(int64_t message) { ++count, bytes += message, gathered += message; }
};

struct TrafficShape {
  int64_t output_channels = 256;
  autograd::ReducerOptions buckets{};
  int64_t accumulate = 1;
  bool in_lockstep = false;  // as on CUDA: the two branches share the messages of their forwards
};

// By lane. With C channels in a BatchNorm layer, A micro-batches and F channels of the output:
//   online branch   A messages of 8 (4 C + 1) bytes and A of 32 C per layer: mean and variance of
//                   both views and the count forward, two sums for both views backward
//   target branch   A messages of 8 (4 C + 1) bytes per layer; in lockstep no messages, but 32 C
//                   bytes more in those of the online branch
//   gradients       one message per bucket, 4 bytes per parameter, 2 in bf16
//   numbers         4 bytes (is a gradient not finite?) and 8 (4 + A (10 + 2 F))
using StepMessages = std::array<Messages, pixpro::kLanes>;
StepMessages step_messages(const pixpro::Model& model, const TrafficShape& shape);

}  // namespace paper_model
