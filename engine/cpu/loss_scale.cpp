#include "engine/kernels/loss_scale.h"

#include <algorithm>
#include <atomic>

#include "engine/cpu/chunks.h"
#include "engine/profile.h"

namespace engine {

void find_not_finite(CpuContext& ctx, const std::vector<Tensor>& tensors, Tensor& flag) {
  double bytes = 0.0;
  for (const Tensor& t : tensors) bytes += bytes_of(t);
  const Timer timer(ctx, "find not finite", bytes);
  const std::vector<Chunk> chunks =
      chunks_of(tensors, [](const Tensor& t) { return t.elements(); });
  std::atomic<bool> found = false;
  for_chunks(chunks, [&](size_t, const Chunk& chunk) {
    const Tensor& t = tensors[chunk.tensor];
    for_float(t.dtype(), [&](auto zero) {
      // Infinity or NaN times 0 is NaN, and the sum stays NaN.
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
