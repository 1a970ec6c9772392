#include "engine/kernels/optimizer_update.h"

#include <cmath>
#include <span>
#include <utility>

#include "engine/cpu/chunks.h"
#include "engine/profile.h"

namespace engine {
namespace {

// LARS reads parameters and gradients twice. Tensors are taken in groups of this many elements per
// thread, small enough for the second read to hit the L2 caches.
constexpr int64_t kGroupPerThread = 1 << 17;

struct Item {
  ParameterUpdate& update;
  bool learns;         // has a gradient, and the step is not skipped
  double ratio = 1.0;  // multiplies the gradient

  bool follows() const { return update.follower.defined(); }
};

struct Squares {
  double parameter = 0.0, gradient = 0.0;
};

// Sets the items' ratios to LARS' trust ratios.
template <class T>
void find_ratios(std::span<Item> items, const std::vector<Chunk>& chunks, const SgdOptions& o) {
  const auto scaled = [](const Item& item) { return item.learns && item.update.decay; };
  std::vector<Squares> parts(chunks.size());
  for_chunks(chunks, [&](size_t i, const Chunk& chunk) {
    const Item& item = items[chunk.tensor];
    if (!scaled(item)) return;
    const T* p = std::as_const(item.update.parameter).data<T>();
    const T* g = std::as_const(item.update.gradient).data<T>();
    const T decay = static_cast<T>(o.weight_decay);
    double parameter = 0.0, gradient = 0.0;
#pragma omp simd reduction(+ : parameter, gradient)
    for (int64_t j = chunk.begin; j < chunk.end; ++j) {
      const double decayed = g[j] + decay * p[j];
      parameter += static_cast<double>(p[j]) * static_cast<double>(p[j]);
      gradient += decayed * decayed;
    }
    parts[i] = {parameter, gradient};
  });
  std::vector<Squares> sums(items.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    sums[chunks[i].tensor].parameter += parts[i].parameter;
    sums[chunks[i].tensor].gradient += parts[i].gradient;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const double parameter = std::sqrt(sums[i].parameter), gradient = std::sqrt(sums[i].gradient);
    if (scaled(items[i]) && parameter > 0.0 && gradient > 0.0) {
      items[i].ratio = o.trust * parameter / (gradient + o.eps);
    }
  }
}

// Chooses between three loops beforehand, so that each of them can be vectorised.
template <class T>
void update_chunk(const Item& item, const Chunk& chunk, const SgdOptions& o) {
  ParameterUpdate& u = item.update;
  const T keep = static_cast<T>(o.follow), take = static_cast<T>(1.0 - o.follow);
  T* f = item.follows() ? u.follower.data<T>() : nullptr;
  if (!item.learns) {
    if (f == nullptr) return;
    const T* p = std::as_const(u.parameter).data<T>();
    for (int64_t j = chunk.begin; j < chunk.end; ++j) f[j] = keep * f[j] + take * p[j];
    return;
  }
  T *p = u.parameter.data<T>(), *m = u.momentum.data<T>();
  const T* g = std::as_const(u.gradient).data<T>();
  const T decay = static_cast<T>(u.decay ? o.weight_decay : 0.0);
  const T ratio = static_cast<T>(item.ratio), momentum = static_cast<T>(o.momentum);
  const T rate = static_cast<T>(o.learning_rate);
  const auto learn = [=](int64_t j) {
    m[j] = momentum * m[j] + (g[j] + decay * p[j]) * ratio;
    p[j] -= rate * m[j];
  };
  if (f == nullptr) {
    for (int64_t j = chunk.begin; j < chunk.end; ++j) learn(j);
    return;
  }
  for (int64_t j = chunk.begin; j < chunk.end; ++j) {
    learn(j);
    f[j] = keep * f[j] + take * p[j];
  }
}

// The first items that together have at most `most` elements; a larger item comes alone.
std::span<Item> first_group(std::span<Item> items, int64_t most) {
  size_t count = 0;
  int64_t elements = 0;
  while (count < items.size()) {
    elements += items[count].update.parameter.elements();
    if (count > 0 && elements > most) break;
    ++count;
  }
  return items.first(count);
}

template <class T>
void update_all(std::span<Item> items, const SgdOptions& o) {
  const int64_t most = kGroupPerThread * omp_get_max_threads();
  while (!items.empty()) {
    const std::span<Item> group = first_group(items, most);
    const std::vector<Chunk> chunks =
        chunks_of(group, [](const Item& item) { return item.update.parameter.elements(); });
    if (o.trust > 0.0) find_ratios<T>(group, chunks, o);
    for_chunks(chunks,
               [&](size_t, const Chunk& chunk) { update_chunk<T>(group[chunk.tensor], chunk, o); });
    items = items.subspan(group.size());
  }
}

void check(const ParameterUpdate& u, DType dtype) {
  check_update(u);
  require(u.parameter.dtype() == dtype && u.parameter.layout() == Layout::plain,
          "sgd: expected plain parameters of one type, found ", u.parameter);
}

// Parameter, momentum and follower are read and written, the gradient is read. A parameter that is
// only followed is read.
double bytes_moved(const Item& item) {
  const int own = item.learns ? 5 : item.follows() ? 1 : 0;
  const int passes = own + (item.follows() ? 2 : 0);
  return static_cast<double>(passes * item.update.parameter.bytes());
}

float value_or(const Tensor& scalar, float otherwise) {
  return scalar.defined() ? *scalar.data<float>() : otherwise;
}

}  // namespace

void sgd_update(CpuContext& ctx, std::vector<ParameterUpdate>& updates, const SgdOptions& options) {
  if (updates.empty()) return;
  require(value_or(options.gradient_scale, 1.0f) == 1.0f,
          "sgd: expected unscaled gradients on the CPU, which does not compute in f16; found the "
          "factor ",
          value_or(options.gradient_scale, 1.0f));
  const DType dtype = updates[0].parameter.dtype();
  const bool skipped = value_or(options.skip, 0.0f) != 0.0f;
  std::vector<Item> items;
  for (ParameterUpdate& u : updates) {
    check(u, dtype);
    items.push_back({.update = u, .learns = u.gradient.defined() && !skipped});
  }
  double bytes = 0.0;
  for (const Item& item : items) bytes += bytes_moved(item);
  const Timer timer(ctx, "sgd update", bytes);
  for_float(dtype, [&](auto zero) { update_all<decltype(zero)>(items, options); });
}

}  // namespace engine
