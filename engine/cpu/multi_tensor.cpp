#include "engine/kernels/multi_tensor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

// Work is dealt in chunks of elements, so that one large tensor keeps all threads busy and many
// small ones cost little. The chunks do not depend on the number of threads, so sums do not either.
constexpr int64_t kChunk = 1 << 14;

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

struct Squares {
  double parameter = 0.0, gradient = 0.0;
};

// What a parameter's gradient is multiplied with: LARS' trust ratio, or 1.
template <class T>
std::vector<double> trust_ratios(const std::vector<ParameterUpdate>& updates,
                                 const std::vector<Chunk>& chunks, const SgdOptions& o) {
  std::vector<Squares> parts(chunks.size());
  for_chunks(chunks, [&](size_t i, const Chunk& chunk) {
    const ParameterUpdate& u = updates[chunk.tensor];
    if (!u.decay) return;
    const T *p = u.parameter.data<T>(), *g = u.gradient.data<T>();
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
  std::vector<Squares> sums(updates.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    sums[chunks[i].tensor].parameter += parts[i].parameter;
    sums[chunks[i].tensor].gradient += parts[i].gradient;
  }
  std::vector<double> ratios(updates.size(), 1.0);
  for (size_t i = 0; i < updates.size(); ++i) {
    const double parameter = std::sqrt(sums[i].parameter), gradient = std::sqrt(sums[i].gradient);
    if (updates[i].decay && parameter > 0.0 && gradient > 0.0) {
      ratios[i] = o.trust * parameter / (gradient + o.eps);
    }
  }
  return ratios;
}

template <class T>
void update_all(std::vector<ParameterUpdate>& updates, const SgdOptions& o) {
  const std::vector<Chunk> chunks =
      chunks_of(updates, [](const ParameterUpdate& u) { return u.parameter.elements(); });
  const std::vector<double> ratios = o.trust > 0.0 ? trust_ratios<T>(updates, chunks, o)
                                                   : std::vector<double>(updates.size(), 1.0);
  for_chunks(chunks, [&](size_t, const Chunk& chunk) {
    ParameterUpdate& u = updates[chunk.tensor];
    T *p = u.parameter.data<T>(), *m = u.momentum.data<T>();
    const T* g = u.gradient.data<T>();
    const T decay = static_cast<T>(u.decay ? o.weight_decay : 0.0);
    const T ratio = static_cast<T>(ratios[chunk.tensor]), momentum = static_cast<T>(o.momentum);
    const T rate = static_cast<T>(o.learning_rate);
    for (int64_t j = chunk.begin; j < chunk.end; ++j) {
      m[j] = momentum * m[j] + (g[j] + decay * p[j]) * ratio;
      p[j] -= rate * m[j];
    }
  });
}

float value_or(const Tensor& scalar, float otherwise) {
  return scalar.defined() ? *scalar.data<float>() : otherwise;
}

}  // namespace

void sgd_update(CpuContext& ctx, std::vector<ParameterUpdate>& updates, const SgdOptions& options) {
  if (updates.empty() || value_or(options.skip, 0.0f) != 0.0f) return;
  require(value_or(options.gradient_scale, 1.0f) == 1.0f,
          "sgd: scaled gradients are for f16, which the CPU does not compute in");
  for (const ParameterUpdate& u : updates) {
    require_same("sgd", u.parameter, u.gradient);
    require_same("sgd", u.parameter, u.momentum);
    require(u.parameter.dtype() == updates[0].parameter.dtype() &&
                u.parameter.layout() == Layout::plain,
            "sgd: plain parameters of one type expected, found ", u.parameter);
  }
  // Parameter and momentum are read and written, the gradient is read; LARS first reads two of
  // them.
  const Timer timer(ctx, "sgd update", sum_of(updates, [&](const ParameterUpdate& u) {
                      return static_cast<double>(u.parameter.bytes()) * (options.trust > 0 ? 7 : 5);
                    }));
  for_float(updates[0].parameter.dtype(),
            [&](auto zero) { update_all<decltype(zero)>(updates, options); });
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

void ema_update(CpuContext& ctx, std::vector<Tensor>& target, const std::vector<Tensor>& source,
                double momentum) {
  require(target.size() == source.size(), "ema: ", target.size(), " targets and ", source.size(),
          " sources");
  if (target.empty()) return;
  for (size_t i = 0; i < target.size(); ++i) {
    require_same("ema", target[i], source[i]);
    require(target[i].dtype() == target[0].dtype(), "ema: tensors of one type expected, found ",
            target[i]);
  }
  const Timer timer(ctx, "ema update", sum_of(target, [](const Tensor& t) {
                      return 3.0 * static_cast<double>(t.bytes());
                    }));
  const std::vector<Chunk> chunks = chunks_of(target, [](const Tensor& t) { return t.elements(); });
  for_float(target[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T keep = static_cast<T>(momentum), take = static_cast<T>(1.0 - momentum);
    for_chunks(chunks, [&](size_t, const Chunk& chunk) {
      T* to = target[chunk.tensor].data<T>();
      const T* from = source[chunk.tensor].data<T>();
      for (int64_t j = chunk.begin; j < chunk.end; ++j) to[j] = keep * to[j] + take * from[j];
    });
  });
}

}  // namespace engine
