#include "engine/kernels/multi_tensor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>
#include <utility>

#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

// Work is dealt in chunks of elements, so that one large tensor keeps all threads busy and many
// small ones cost little. The chunks do not depend on the number of threads, so sums do not either.
constexpr int64_t kChunk = 1 << 14;
// LARS reads parameter and gradient twice, the second time from the cache: it works on as many
// tensors at once as its threads' second levels hold, this many elements for each.
constexpr int64_t kGroupOfThread = 1 << 17;

struct Chunk {
  size_t tensor;
  int64_t begin, end;
};

template <class Items, class SizeOf>
std::vector<Chunk> chunks_of(const Items& items, SizeOf elements) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t size = elements(items[i]);
    for (int64_t begin = 0; begin < size; begin += kChunk) {
      chunks.push_back({i, begin, std::min(begin + kChunk, size)});
    }
  }
  return chunks;
}

template <class Items, class F>
double sum_of(const Items& items, F&& f) {
  return std::transform_reduce(items.begin(), items.end(), 0.0, std::plus<>(), f);
}

template <class F>
void for_chunks(const std::vector<Chunk>& chunks, F&& f) {
  parallel_for(static_cast<int64_t>(chunks.size()), 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(static_cast<size_t>(i), chunks[static_cast<size_t>(i)]);
  });
}

struct Item {
  ParameterUpdate& update;
  bool learns;         // has a gradient, and the step is not skipped
  double ratio = 1.0;  // what the gradient is multiplied with

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

// Which of the three loops is decided outside, so that each is one of whole vectors.
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

// The first items, together of at most `most` elements, or a larger one alone.
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
  const int64_t most = kGroupOfThread * omp_get_max_threads();
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

void require_fitting(const ParameterUpdate& u, DType dtype) {
  if (u.gradient.defined()) {
    require_same("sgd", u.parameter, u.gradient);
    require_same("sgd", u.parameter, u.momentum);
  }
  if (u.follower.defined()) require_same("sgd", u.parameter, u.follower);
  require(u.parameter.dtype() == dtype && u.parameter.layout() == Layout::plain,
          "sgd: plain parameters of one type expected, found ", u.parameter);
}

// Parameter, momentum and follower are read and written, the gradient is read; of a parameter that
// is only followed nothing is written.
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
          "sgd: scaled gradients are for f16, which the CPU does not compute in");
  const DType dtype = updates[0].parameter.dtype();
  const bool skipped = value_or(options.skip, 0.0f) != 0.0f;
  std::vector<Item> items;
  for (ParameterUpdate& u : updates) {
    require_fitting(u, dtype);
    items.push_back({.update = u, .learns = u.gradient.defined() && !skipped});
  }
  const Timer timer(ctx, "sgd update", sum_of(items, bytes_moved));
  for_float(dtype, [&](auto zero) { update_all<decltype(zero)>(items, options); });
}

void find_not_finite(CpuContext& ctx, const std::vector<Tensor>& tensors, Tensor& flag) {
  const Timer timer(ctx, "find not finite", sum_of(tensors, [](const Tensor& t) {
                      return static_cast<double>(t.bytes());
                    }));
  const std::vector<Chunk> chunks =
      chunks_of(tensors, [](const Tensor& t) { return t.elements(); });
  std::atomic<bool> found = false;
  for_chunks(chunks, [&](size_t, const Chunk& chunk) {
    const Tensor& t = tensors[chunk.tensor];
    for_float(t.dtype(), [&](auto zero) {
      // Infinity or NaN times 0 is NaN, and the sum keeps it.
      decltype(zero) sum = 0;
      const auto* x = t.data<decltype(zero)>();
#pragma omp simd reduction(+ : sum)
      for (int64_t j = chunk.begin; j < chunk.end; ++j) sum += x[j] * 0;
      if (sum != 0) found = true;
    });
  });
  if (found) *flag.data<float>() = 1.0f;
}

void update_loss_scale(CpuContext&, const Tensor& not_finite, LossScaling options, Tensor& state) {
  float *scale = state.data<float>(), *good = scale + 1;
  *good += 1.0f;
  if (*not_finite.data<float>() != 0.0f) {
    *scale *= 0.5f, *good = 0.0f;
  } else if (*good >= static_cast<float>(options.growth_interval)) {
    *scale = std::min(2.0f * *scale, static_cast<float>(options.initial)), *good = 0.0f;
  }
}

}  // namespace engine
