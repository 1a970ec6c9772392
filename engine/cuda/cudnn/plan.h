// How a convolution becomes a plan of cuDNN. The problem is described as a graph of one operation.
// cuDNN's heuristics rank engine configurations for it (kernels and their settings). Those that
// keep the promised precision become plans.
#pragma once

#include <vector>

#include "engine/cuda/cudnn/descriptor.h"
#include "engine/kernels/conv.h"

namespace engine {

// x, w and y are channels-last and have one type. Sums are kept in f32.
struct ConvProblem {
  ConvDirection direction;
  cudnnDataType_t type;
  Shape x, w;  // [N,C,H,W] and [O,C/groups,KH,KW]
  Conv2dOptions options;
  int64_t alignment = 16;      // of every tensor's address, in bytes
  bool tf32 = false;           // factors of type f32 may be rounded to 10 bits of mantissa
  bool deterministic = false;  // the same bits in every run

  std::vector<int64_t> key() const;  // different for different problems
};

// The identifiers of the tensors in a plan.
enum ConvTensor : int64_t { kConvX = 'x', kConvW = 'w', kConvY = 'y' };

struct ConvPlan {
  CudnnDescriptor config, plan;  // the plan goes on using its configuration
  int64_t workspace_bytes;
  int64_t engine;                                  // cuDNN's number for the family of kernels
  std::vector<cudnnBackendNumericalNote_t> notes;  // cuDNN's statements about its arithmetic
};

// At most `most` plans, the one that the heuristics expect to be fastest first. Throws if there is
// none. The plans never include
// - kernels that convert inputs to a smaller type or keep sums in one;
// - tensor cores for f32 without tf32, because they would round the factors (Winograd's transforms
//   are allowed: they round as f32 does);
// - kernels that cuDNN calls nondeterministic, if `deterministic` is set.
std::vector<ConvPlan> conv_plans(cudnnHandle_t handle, const ConvProblem& problem, size_t most);

}  // namespace engine
