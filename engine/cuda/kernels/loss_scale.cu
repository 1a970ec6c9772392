#include "engine/cuda/kernels/tensor_group.cuh"
#include "engine/kernels/loss_scale.h"

namespace engine {
namespace {

struct FiniteItem {
  const float* values;
  int64_t elements;
};

__global__ void find_not_finite_kernel(TensorGroup<FiniteItem> group, float* flag) {
  const int item = group.item_of_block();
  bool found = false;
  group.for_each_element(item, [&](int64_t j) {
    // Infinity or NaN times 0 is NaN.
    found = found || group.items[item].values[j] * 0.0f != 0.0f;
  });
  if (found) *flag = 1.0f;  // every writer writes the same value
}

__global__ void update_loss_scale_kernel(const float* not_finite, float most, float interval,
                                         float* state) {
  const float scale = state[0], good = state[1] + 1.0f;
  const bool grows = good >= interval;
  state[1] = good;
  if (*not_finite != 0.0f || grows) state[1] = 0.0f;
  if (*not_finite != 0.0f) {
    state[0] = 0.5f * scale;
  } else if (grows) {
    state[0] = 2.0f * scale < most ? 2.0f * scale : most;
  }
}

}  // namespace

void find_not_finite(CudaContext& ctx, const std::vector<Tensor>& tensors, Tensor& flag) {
  std::vector<FiniteItem> items;
  for (const Tensor& t : tensors) {
    if (t.elements() > 0) items.push_back({t.data<float>(), t.elements()});
  }
  for_groups(items, [&](const TensorGroup<FiniteItem>& group) {
    launch(ctx, find_not_finite_kernel, group.grid(), group, flag.data<float>());
  });
}

void update_loss_scale(CudaContext& ctx, const Tensor& not_finite, LossScaling options,
                       Tensor& state) {
  launch(ctx, update_loss_scale_kernel, Grid{.blocks = dim3(1), .threads = dim3(1)},
         not_finite.data<float>(), static_cast<float>(options.initial),
         static_cast<float>(options.growth_interval), state.data<float>());
}

}  // namespace engine
