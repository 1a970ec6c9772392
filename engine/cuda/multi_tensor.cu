// Updates of all parameters in a handful of launches: one launch handles up to kMostTensors
// tensors, whose addresses travel as a kernel argument. Tensors are dealt to blocks in chunks, so
// that one large tensor keeps the device busy and many small ones cost little.
#include "engine/cuda/kernel.cuh"
#include "engine/kernels/multi_tensor.h"

namespace engine {
namespace {

constexpr int kMostTensors = 72;     // 4 KB of arguments are what every device takes
constexpr int64_t kChunk = 1 << 14;  // elements a block

// Up to kMostTensors items and which blocks work on each.
template <class Item>
struct Group {
  Item items[kMostTensors];
  int first_block[kMostTensors + 1] = {0};  // of each item; the last: number of blocks
  int count = 0;

  void append(const Item& item) {
    const int64_t chunks = (item.elements + kChunk - 1) / kChunk;
    items[count] = item;
    first_block[count + 1] = first_block[count] + static_cast<int>(chunks);
    ++count;
  }
  int blocks() const { return first_block[count]; }

  // The item that this block works on.
  __device__ int item_of_block() const {
    int low = 0, high = count - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (first_block[middle] <= static_cast<int>(blockIdx.x)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  // Calls f(element) for this thread's share of the block's chunk of item `i`.
  template <class F>
  __device__ void for_each_element(int i, F&& f) const {
    const int64_t begin = (static_cast<int>(blockIdx.x) - first_block[i]) * kChunk;
    const int64_t end = begin + kChunk < items[i].elements ? begin + kChunk : items[i].elements;
    for (int64_t j = begin + threadIdx.x; j < end; j += kBlockThreads) f(j);
  }
};

// Splits the items into groups and calls f(group) for each.
template <class Item, class F>
void for_groups(const std::vector<Item>& items, F&& f) {
  for (size_t begin = 0; begin < items.size(); begin += kMostTensors) {
    Group<Item> group;
    const size_t end = std::min(items.size(), begin + kMostTensors);
    for (size_t i = begin; i < end; ++i) group.append(items[i]);
    f(group);
  }
}

struct SgdItem {
  float* parameter;
  float* momentum;
  const float* gradient;  // null: the parameter stays as it is
  float* follower;        // null: there is none
  int64_t elements;
  float decay;  // 0 where it does not apply
  int scaled;   // takes LARS' trust ratio
};

struct SgdRates {
  float learning_rate, momentum;
  float keep, take;  // of a follower and of what it follows
  double trust, eps;
  const float *skip, *gradient_scale;  // may be null

  __device__ bool skipped() const { return skip != nullptr && *skip != 0.0f; }
  __device__ float unscale() const {
    return gradient_scale != nullptr ? 1.0f / *gradient_scale : 1.0f;
  }
};

// squares: [blocks, 2]: of parameter and decayed gradient.
__global__ void squares_kernel(Group<SgdItem> group, SgdRates rates, double* squares) {
  const int item = group.item_of_block();
  const SgdItem& u = group.items[item];
  if (u.scaled == 0 || rates.skipped()) return;
  const float unscale = rates.unscale();
  double parameter = 0.0, gradient = 0.0;
  group.for_each_element(item, [&](int64_t j) {
    const double p = u.parameter[j];
    const double decayed = unscale * u.gradient[j] + u.decay * u.parameter[j];
    parameter += p * p;
    gradient += decayed * decayed;
  });
  parameter = block_sum(parameter);
  gradient = block_sum(gradient);
  if (threadIdx.x != 0) return;
  squares[2 * blockIdx.x] = parameter;
  squares[2 * blockIdx.x + 1] = gradient;
}

// LARS' trust ratio of the block's item from the squares of all its blocks.
__device__ float trust_ratio(const Group<SgdItem>& group, int item, const double* squares,
                             const SgdRates& rates) {
  double parameter = 0.0, gradient = 0.0;
  const int end = group.first_block[item + 1];
  for (int block = group.first_block[item] + static_cast<int>(threadIdx.x); block < end;
       block += kBlockThreads) {
    parameter += squares[2 * block];
    gradient += squares[2 * block + 1];
  }
  parameter = sqrt(block_sum(parameter));
  gradient = sqrt(block_sum(gradient));
  if (!(parameter > 0.0 && gradient > 0.0)) return 1.0f;
  return static_cast<float>(rates.trust * parameter / (gradient + rates.eps));
}

__global__ void update_kernel(Group<SgdItem> group, const double* squares, SgdRates rates) {
  const int item = group.item_of_block();
  const SgdItem& u = group.items[item];
  const bool learns = u.gradient != nullptr && !rates.skipped(), follows = u.follower != nullptr;
  if (!learns && !follows) return;
  const float unscale = rates.unscale();
  const float ratio = learns && u.scaled != 0 ? trust_ratio(group, item, squares, rates) : 1.0f;
  group.for_each_element(item, [&](int64_t j) {
    float parameter = u.parameter[j];
    if (learns) {
      const float step = (unscale * u.gradient[j] + u.decay * parameter) * ratio;
      const float momentum = rates.momentum * u.momentum[j] + step;
      parameter -= rates.learning_rate * momentum;
      u.momentum[j] = momentum;
      u.parameter[j] = parameter;
    }
    if (follows) u.follower[j] = rates.keep * u.follower[j] + rates.take * parameter;
  });
}

struct FiniteItem {
  const float* values;
  int64_t elements;
};

__global__ void find_not_finite_kernel(Group<FiniteItem> group, float* flag) {
  const int item = group.item_of_block();
  bool found = false;
  group.for_each_element(item, [&](int64_t j) {
    // Infinity or NaN times 0 is NaN.
    found = found || group.items[item].values[j] * 0.0f != 0.0f;
  });
  if (found) *flag = 1.0f;  // whoever writes, writes the same
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

template <class Item>
Grid grid_of(const Group<Item>& group) {
  return {.blocks = dim3(static_cast<unsigned>(group.blocks())), .threads = dim3(kBlockThreads)};
}

const float* pointer_to(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<float>() : nullptr;
}

float* writable(Tensor& tensor) { return tensor.defined() ? tensor.data<float>() : nullptr; }

SgdItem sgd_item(ParameterUpdate& u, const SgdOptions& options) {
  const bool learns = u.gradient.defined();
  for (const Tensor& t : {u.gradient, learns ? u.momentum : Tensor(), u.follower}) {
    if (t.defined()) require_same("sgd", u.parameter, t);
  }
  return {.parameter = u.parameter.data<float>(),
          .momentum = writable(u.momentum),
          .gradient = pointer_to(u.gradient),
          .follower = writable(u.follower),
          .elements = u.parameter.elements(),
          .decay = static_cast<float>(u.decay ? options.weight_decay : 0.0),
          .scaled = learns && u.decay && options.trust > 0.0 ? 1 : 0};
}

}  // namespace

void sgd_update(CudaContext& ctx, std::vector<ParameterUpdate>& updates,
                const SgdOptions& options) {
  const SgdRates rates{.learning_rate = static_cast<float>(options.learning_rate),
                       .momentum = static_cast<float>(options.momentum),
                       .keep = static_cast<float>(options.follow),
                       .take = static_cast<float>(1.0 - options.follow),
                       .trust = options.trust,
                       .eps = options.eps,
                       .skip = pointer_to(options.skip),
                       .gradient_scale = pointer_to(options.gradient_scale)};
  std::vector<SgdItem> items;
  for (ParameterUpdate& u : updates) {
    if (u.parameter.elements() > 0) items.push_back(sgd_item(u, options));
  }
  for_groups(items, [&](const Group<SgdItem>& group) {
    Tensor squares({group.blocks(), 2}, DType::f64, ctx.device());
    if (options.trust > 0.0) {
      launch(ctx, squares_kernel, grid_of(group), group, rates, squares.data<double>());
    }
    launch(ctx, update_kernel, grid_of(group), group, squares.data<double>(), rates);
  });
}

void find_not_finite(CudaContext& ctx, const std::vector<Tensor>& tensors, Tensor& flag) {
  std::vector<FiniteItem> items;
  for (const Tensor& t : tensors) {
    if (t.elements() > 0) items.push_back({t.data<float>(), t.elements()});
  }
  for_groups(items, [&](const Group<FiniteItem>& group) {
    launch(ctx, find_not_finite_kernel, grid_of(group), group, flag.data<float>());
  });
}

void update_loss_scale(CudaContext& ctx, const Tensor& not_finite, LossScaling options,
                       Tensor& state) {
  launch(ctx, update_loss_scale_kernel, Grid{.blocks = dim3(1), .threads = dim3(1)},
         not_finite.data<float>(), static_cast<float>(options.initial),
         static_cast<float>(options.growth_interval), state.data<float>());
}

}  // namespace engine
