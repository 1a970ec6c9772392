// cuDNN for one context: a handle on its stream, and a plan for every convolution run so far.
#pragma once

#include <map>

#include "engine/cuda/context.h"
#include "engine/cuda/cudnn/plan.h"

namespace engine {

// The memory of the tensors of a ConvProblem. The direction determines which one is written.
struct ConvData {
  const void *x, *w, *y;
};

class Cudnn {
 public:
  explicit Cudnn(cudaStream_t stream);

  // Queues the convolution. The first call for a problem chooses its plan: the one that the
  // heuristics rank first or, with settings.benchmark, the fastest of the first kTimedPlans, for
  // which the call waits for the device. Workspaces are tensors on the context's device. If one no
  // longer fits, the first plan with a smaller workspace replaces its plan. With
  // settings.deterministic plans are neither timed nor replaced, because another plan may give
  // other bits.
  void convolve(CudaContext& ctx, const ConvProblem& problem, const ConvData& data);

  static constexpr size_t kTimedPlans = 8;

 private:
  ConvPlan choose(CudaContext& ctx, const ConvProblem& problem, const ConvData& data);
  bool choose_smaller(CudaContext& ctx, const ConvProblem& problem, ConvPlan& plan);

  struct Destroy {
    void operator()(cudnnHandle_t handle) const { cudnnDestroy(handle); }
  };
  std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, Destroy> handle_;
  std::map<std::vector<int64_t>, ConvPlan> plans_;
};

}  // namespace engine
