// The cuDNN of a context: a handle on its stream, and the plans of every convolution met so far.
#pragma once

#include <map>

#include "engine/cuda/context.h"
#include "engine/cuda/cudnn/plan.h"

namespace engine {

// Where the tensors of a ConvProblem lie; the direction says which is written.
struct ConvData {
  const void *x, *w, *y;
};

class Cudnn {
 public:
  explicit Cudnn(cudaStream_t stream);

  // Runs the convolution. The first time a problem comes, its plan is chosen: the one that the
  // heuristics rank first, or with settings.benchmark the fastest of kTimedPlans (which may wait
  // for the device; later calls only queue work). Workspaces are tensors of the context's device.
  // Where one does not fit any more, the first plan with a smaller workspace takes its plan's
  // place. With settings.deterministic there is neither: runs that choose differently differ in
  // their bits.
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
