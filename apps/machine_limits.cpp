#include "apps/machine_limits.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/cpu/lanes.h"
#include "engine/tensor_ops.h"

namespace apps {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

#if defined(__AVX512F__)
constexpr int kFloats = 16;
#elif defined(__AVX__)
constexpr int kFloats = 8;
#else
constexpr int kFloats = 4;
#endif
using Vector = engine::LaneVector<float, kFloats>;

// Enough independent sums to hide the latency of two multiply-add units, few enough for the
// registers.
constexpr int kSums = 12;
constexpr int64_t kRounds = 100000;

float multiply_and_add() {
  Vector sums[kSums] = {};
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] += static_cast<float>(i);  // all different
  Vector factor = {};
  factor += 0.999F;
  for (int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * factor + factor;
  }
  Vector total = {};
#pragma GCC unroll 12
  for (const Vector& sum : sums) total += sum;
  return total[0];
}

}  // namespace

double measure_fma_gflops(double seconds) {
  double best = 0.0;
  volatile float sink = 0.0F;
  const Clock::time_point begin = Clock::now();
  while (since(begin) < seconds) {
    const int threads = omp_get_max_threads();
    const Clock::time_point start = Clock::now();
#pragma omp parallel num_threads(threads)
    {
      const float result = multiply_and_add();
#pragma omp critical
      sink = sink + result;
    }
    const double flops = 2.0 * kSums * kFloats * static_cast<double>(kRounds) * threads;
    best = std::max(best, flops / since(start) * 1e-9);
  }
  return best;
}

double measure_memory_gbytes(double seconds) {
  constexpr int64_t kElements = int64_t{1} << 26;
  const engine::Tensor from = engine::zeros({kElements});
  engine::Tensor to = engine::zeros({kElements});
  const double bytes = static_cast<double>(from.bytes() + to.bytes());
  double best = 0.0;
  const Clock::time_point begin = Clock::now();
  while (since(begin) < seconds) {
    const Clock::time_point start = Clock::now();
    copy_into(from, to);
    best = std::max(best, bytes / since(start) * 1e-9);
  }
  return best;
}

}  // namespace apps
