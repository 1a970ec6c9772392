// Batch statistics of all ranks, and how two forward passes share the messages for them.
#pragma once

#include <functional>

#include "engine/ranks/communicator.h"

namespace autograd {

using engine::Tensor;

struct RankStatistics {
  Tensor statistics;  // [parts, 2, C] f64, see engine/kernels/norm.h
  Tensor count;       // [1] f64: values per channel and part
};

// x: [N,C,H,W] or [N,C]: the images of this rank in `parts` equal parts. All ranks call this in the
// same order. One message.
RankStatistics statistics_of_ranks(const Tensor& x, int64_t parts, engine::Communicator& ranks);

// Calls first() and, on another thread, second(). They take turns: each goes on until it needs
// statistics of all ranks or has ended. If both need some of the same shape, these travel in one
// message, on the lane of the first. That halves the messages of two branches of the same
// architecture, whose latency is what they cost.
//
// Kernels of both find the CUDA contexts of the calling thread. The exception of a piece reaches
// the caller; the other piece then ends with one too.
void in_lockstep(const std::function<void()>& first, const std::function<void()>& second);

}  // namespace autograd
