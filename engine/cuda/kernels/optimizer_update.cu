#include "engine/cuda/kernels/tensor_group.cuh"
#include "engine/kernels/optimizer_update.h"

namespace engine {
namespace {

struct SgdItem {
  float* parameter;
  float* momentum;
  const float* gradient;  // null: the parameter stays as it is
  float* follower;        // null: there is none
  int64_t elements;
  float decay;  // 0 if it does not apply
  int scaled;   // takes LARS' trust ratio
};

struct SgdRates {
  float learning_rate, momentum;
  float keep, take;  // weights of a follower and of its parameter
  double trust, eps;
  const float *skip, *gradient_scale;  // may be null

  __device__ bool skipped() const { return skip != nullptr && *skip != 0.0f; }
  __device__ float unscale() const {
    return gradient_scale != nullptr ? 1.0f / *gradient_scale : 1.0f;
  }
};

// squares: [blocks, 2]: sums over each block of the squared parameter and decayed gradient.
__global__ void squares_kernel(TensorGroup<SgdItem> group, SgdRates rates, double* squares) {
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

// LARS' trust ratio of an item, from the squares of all its blocks.
__device__ float trust_ratio(const TensorGroup<SgdItem>& group, int item, const double* squares,
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

__global__ void update_kernel(TensorGroup<SgdItem> group, const double* squares, SgdRates rates) {
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

const float* pointer_to(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<float>() : nullptr;
}

float* writable(Tensor& tensor) { return tensor.defined() ? tensor.data<float>() : nullptr; }

SgdItem sgd_item(ParameterUpdate& u, const SgdOptions& options) {
  check_update(u);
  return {.parameter = u.parameter.data<float>(),
          .momentum = writable(u.momentum),
          .gradient = pointer_to(u.gradient),
          .follower = writable(u.follower),
          .elements = u.parameter.elements(),
          .decay = static_cast<float>(u.decay ? options.weight_decay : 0.0),
          .scaled = u.gradient.defined() && u.decay && options.trust > 0.0 ? 1 : 0};
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
  for_groups(items, [&](const TensorGroup<SgdItem>& group) {
    Tensor squares({group.blocks(), 2}, DType::f64, ctx.device());
    if (options.trust > 0.0) {
      launch(ctx, squares_kernel, group.grid(), group, rates, squares.data<double>());
    }
    launch(ctx, update_kernel, group.grid(), group, squares.data<double>(), rates);
  });
}

}  // namespace engine
