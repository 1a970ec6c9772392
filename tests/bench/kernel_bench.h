// Shared by all benchmarks of kernels. A kernel runs again and again, and its own Timer says how
// many bytes and floating-point operations its formula needs. The time that these take at the
// machine's measured limits is the floor.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>

#include "apps/machine_limits.h"
#include "engine/profile.h"

namespace bench {

struct Limits {
  double flops = 1e9 * apps::measure_fma_gflops();     // per second
  double bytes = 1e9 * apps::measure_memory_gbytes();  // per second, from main memory
};

inline const Limits& limits() {
  static const Limits measured;
  return measured;
}

// Counters: GB/s, GFLOP/s, floor_ms per call, and of_floor, the floor divided by the measured time.
// Tensors that fit in a cache can beat the floor, which assumes main memory.
template <class Kernel>
void time_kernel(benchmark::State& state, Kernel&& kernel) {
  engine::CpuContext& ctx = engine::cpu_context();
  engine::Profile profile;
  kernel();  // fills the caches and creates what is kept
  ctx.profile = &profile;
  for (auto _ : state) kernel();
  ctx.profile = nullptr;

  engine::KernelTotal sum;
  for (const auto& [name, total] : profile.kernels) {
    sum.bytes += total.bytes;
    sum.flops += total.flops;
    sum.seconds += total.seconds;
  }
  const double floor = std::max(sum.bytes / limits().bytes, sum.flops / limits().flops);
  state.counters["GB/s"] = 1e-9 * sum.bytes / sum.seconds;
  if (sum.flops > 0.0) state.counters["GFLOP/s"] = 1e-9 * sum.flops / sum.seconds;
  state.counters["floor_ms"] = 1e3 * floor / static_cast<double>(state.iterations());
  state.counters["of_floor"] = floor / sum.seconds;
}

template <class Kernel>
void add_benchmark(const std::string& name, Kernel kernel) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [kernel](benchmark::State& state) { time_kernel(state, kernel()); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace bench
