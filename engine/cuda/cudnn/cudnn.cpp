#include "engine/cuda/cudnn/cudnn.h"

#include <algorithm>
#include <limits>

#include "engine/cuda/event.h"
#include "engine/cuda/out_of_memory.h"

namespace engine {
namespace {

void execute(CudaContext& ctx, cudnnHandle_t handle, const ConvPlan& plan, const ConvData& data) {
  Tensor workspace;
  void* room = nullptr;
  if (plan.workspace_bytes > 0) {
    workspace = Tensor({plan.workspace_bytes}, DType::u8, ctx.device());
    room = workspace.raw();
  }
  const auto writable = [](const void* p) { return const_cast<void*>(p); };  // cuDNN's interface
  CudnnDescriptor arguments(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  arguments.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::vector<int64_t>{kConvX, kConvW, kConvY});
  arguments.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                std::vector<void*>{writable(data.x), writable(data.w), writable(data.y)});
  arguments.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, room);
  arguments.finalize();
  check(cudnnBackendExecute(handle, plan.plan.get(), arguments.get()));
}

// Milliseconds that the stream takes for f's work: the least of three runs, after a first one that
// loads kernels. Stops early if the candidate is clearly slower than `best`. Even so, timing all
// candidates takes most of a minute in f32.
template <class F>
float least_milliseconds(cudaStream_t stream, float best, F&& f) {
  constexpr int kRuns = 3;
  constexpr float kLoading = 50.0f;
  Event begin(cudaEventDefault), end(cudaEventDefault);  // these record the time
  const auto milliseconds_of_run = [&] {
    float milliseconds = 0.0f;
    begin.record(stream);
    f();
    end.record(stream);
    end.wait();
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
    return milliseconds;
  };
  float least = milliseconds_of_run();
  if (least > kLoading + 2.0f * best) return least;
  least = milliseconds_of_run();
  for (int i = 1; i < kRuns && least < 2.0f * best; ++i) {
    least = std::min(least, milliseconds_of_run());
  }
  return least;
}

}  // namespace

Cudnn::Cudnn(cudaStream_t stream) {
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle));
  handle_.reset(handle);
  check(cudnnSetStream(handle, stream));
}

ConvPlan Cudnn::choose(CudaContext& ctx, const ConvProblem& problem, const ConvData& data) {
  const bool timed = ctx.settings.benchmark && !ctx.settings.deterministic;
  std::vector<ConvPlan> plans = conv_plans(handle_.get(), problem, timed ? kTimedPlans : 1);
  size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; plans.size() > 1 && i < plans.size(); ++i) {
    try {
      const float milliseconds = least_milliseconds(
          ctx.stream(), least, [&] { execute(ctx, handle_.get(), plans[i], data); });
      if (milliseconds < least) least = milliseconds, best = i;
    } catch (const OutOfMemory&) {  // its workspace does not fit, so it is not a candidate
    }
  }
  return std::move(plans[best]);
}

// Replaces the plan by the first one of the heuristics with a smaller workspace; false if there is
// none.
bool Cudnn::choose_smaller(CudaContext& ctx, const ConvProblem& problem, ConvPlan& plan) {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  for (ConvPlan& other : conv_plans(handle_.get(), problem, kAll)) {
    if (other.workspace_bytes < plan.workspace_bytes) {
      check(cudaStreamSynchronize(ctx.stream()));  // the old plan's kernels may still run
      std::swap(plan, other);
      return true;
    }
  }
  return false;
}

void Cudnn::convolve(CudaContext& ctx, const ConvProblem& problem, const ConvData& data) {
  std::vector<int64_t> key = problem.key();
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    found = plans_.emplace(std::move(key), choose(ctx, problem, data)).first;
  }
  ConvPlan& plan = found->second;
  for (;;) {
    try {
      return execute(ctx, handle_.get(), plan, data);
    } catch (const OutOfMemory&) {
      if (problem.deterministic || !choose_smaller(ctx, problem, plan)) throw;
    }
  }
}

Cudnn& CudaContext::cudnn() {
  if (cudnn_ == nullptr) cudnn_ = std::make_shared<Cudnn>(stream_);
  return *cudnn_;
}

}  // namespace engine
