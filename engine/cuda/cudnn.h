// The cuDNN of a context: a handle on its stream, and the plans of every convolution met so far.
#pragma once

#include <map>

#include "engine/cuda/context.h"
#include "engine/cuda/cudnn_plan.h"

namespace engine {

// Where the tensors of a ConvProblem lie; the direction says which is written.
struct ConvData {
  const void *x, *w, *y;
};

class Cudnn {
 public:
  explicit Cudnn(cudaStream_t stream);

  // Runs the convolution. The first time a problem comes, its plan is chosen: the one that the
  // heuristics rank first, or where ctx.benchmark is set the fastest of kTimedPlans (not where
  // ctx.deterministic is: runs that choose differently differ in their bits). That may wait for the
  // device; later calls only queue work. Workspaces are tensors of the context's device.
  void convolve(CudaContext& ctx, const ConvProblem& problem, const ConvData& data);

  static constexpr size_t kTimedPlans = 8;

 private:
  ConvPlan choose(CudaContext& ctx, const ConvProblem& problem, const ConvData& data);

  struct Destroy {
    void operator()(cudnnHandle_t handle) const { cudnnDestroy(handle); }
  };
  std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, Destroy> handle_;
  std::map<std::vector<int64_t>, ConvPlan> plans_;
};

}  // namespace engine
