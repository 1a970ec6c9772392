#include "engine/cuda/cudnn.h"

#include <limits>

#include "engine/cuda/event.h"

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

// Milliseconds that the stream takes for f's work, the least of three runs after a first one that
// loads kernels.
template <class F>
float least_milliseconds(cudaStream_t stream, F&& f) {
  constexpr int kRuns = 3;
  Event begin(cudaEventDefault), end(cudaEventDefault);  // these tell the time
  float least = std::numeric_limits<float>::infinity();
  f();
  for (int i = 0; i < kRuns; ++i) {
    float milliseconds = 0.0f;
    begin.record(stream);
    f();
    end.record(stream);
    end.wait();
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
    least = std::min(least, milliseconds);
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
  const bool timed = ctx.benchmark && !ctx.deterministic;
  std::vector<ConvPlan> plans = conv_plans(handle_.get(), problem, timed ? kTimedPlans : 1);
  size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; plans.size() > 1 && i < plans.size(); ++i) {
    const float milliseconds =
        least_milliseconds(ctx.stream(), [&] { execute(ctx, handle_.get(), plans[i], data); });
    if (milliseconds < least) least = milliseconds, best = i;
  }
  return std::move(plans[best]);
}

void Cudnn::convolve(CudaContext& ctx, const ConvProblem& problem, const ConvData& data) {
  std::vector<int64_t> key = problem.key();
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    found = plans_.emplace(std::move(key), choose(ctx, problem, data)).first;
  }
  execute(ctx, handle_.get(), found->second, data);
}

Cudnn& CudaContext::cudnn() {
  if (cudnn_ == nullptr) cudnn_ = std::make_shared<Cudnn>(stream_);
  return *cudnn_;
}

}  // namespace engine
