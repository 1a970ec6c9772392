#include "engine/cuda/kernels/tensor_group.cuh"
#include "engine/kernels/copy_if.h"

namespace engine {
namespace {

struct CopyItem {
  const float* from;
  float* to;
  int64_t elements;
};

// condition: may be null.
__global__ void copy_if_kernel(TensorGroup<CopyItem> group, const float* condition) {
  if (condition != nullptr && *condition == 0.0f) return;
  const int item = group.item_of_block();
  const CopyItem& copy = group.items[item];
  group.for_each_element(item, [&](int64_t j) { copy.to[j] = copy.from[j]; });
}

}  // namespace

void copy_if(CudaContext& ctx, const Tensor& condition, const std::vector<Tensor>& from,
             std::vector<Tensor>& to) {
  check_copy_if(from, to);
  std::vector<CopyItem> items;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].elements() == 0) continue;
    items.push_back({from[i].data<float>(), to[i].data<float>(), from[i].elements()});
  }
  const float* flag = condition.defined() ? condition.data<float>() : nullptr;
  for_groups(items, [&](const TensorGroup<CopyItem>& group) {
    launch(ctx, copy_if_kernel, group.grid(), group, flag);
  });
}

}  // namespace engine
