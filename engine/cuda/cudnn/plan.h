// How cuDNN is asked for a convolution: the problem is described as a graph of one operation, its
// heuristics rank engine configurations (kernels and their settings), and those that keep the
// promised precision become plans.
#pragma once

#include <vector>

#include "engine/cuda/cudnn/descriptor.h"
#include "engine/kernels/conv.h"

namespace engine {

// x, w and y are channels-last, of one type; sums are kept in f32.
struct ConvProblem {
  ConvDirection direction;
  cudnnDataType_t type;
  Shape x, w;  // [N,C,H,W] and [O,C/groups,KH,KW]
  Conv2dOptions options;
  int64_t alignment = 16;      // in bytes, of every tensor's address
  bool tf32 = false;           // factors of type f32 may be rounded to 10 bits of mantissa
  bool deterministic = false;  // the same bits in every run

  std::vector<int64_t> key() const;  // tells problems apart
};

// The names of the tensors in a plan.
enum ConvTensor : int64_t { kConvX = 'x', kConvW = 'w', kConvY = 'y' };

struct ConvPlan {
  CudnnDescriptor config, plan;  // the plan goes on using its configuration
  int64_t workspace_bytes;
  int64_t engine;                                  // cuDNN's number for the family of kernels
  std::vector<cudnnBackendNumericalNote_t> notes;  // what cuDNN says of its arithmetic
};

// At most `most` plans, in the order in which the heuristics expect them to be fast. Throws where
// there is none. Never among them:
//   kernels that convert inputs to a smaller type or keep sums in one;
//   for f32 without tf32, tensor cores, which would round the factors (Winograd's transforms, which
//   round only as f32 does, may come);
//   where deterministic is asked for, kernels that cuDNN calls nondeterministic.
std::vector<ConvPlan> conv_plans(cudnnHandle_t handle, const ConvProblem& problem, size_t most);

}  // namespace engine
