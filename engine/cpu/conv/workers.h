// The anatomy of the engine's own convolutions. Each of their files has, in its anonymous
// namespace,
//   Problem   what is computed: shapes and pointers
//   Plan      how: the split into tasks, and the sizes of memory, decided once
//   Worker    does tasks; it owns what only one thread uses
#pragma once

#include <omp.h>

#include <vector>

#include "engine/cpu/lanes.h"
#include "engine/parallel.h"
#include "engine/tensor.h"

namespace engine {

// Does tasks 0 .. plan.tasks - 1: each thread has a worker with plan.worker_floats floats of
// memory, Worker(problem, plan, memory), and calls worker.run(task).
template <class Worker, class Problem, class Plan>
void run_workers(const Problem& problem, const Plan& plan) {
  struct alignas(64) Slot {  // no two workers in a cache line
    Worker worker;
  };
  const int64_t threads = omp_get_max_threads();
  const int64_t floats = ceil_div(plan.worker_floats, 16) * 16;  // whole cache lines
  Tensor memory({threads, floats});
  std::vector<Slot> slots;
  slots.reserve(threads);
  for (int64_t i = 0; i < threads; ++i) {
    slots.push_back({Worker(problem, plan, memory.data<float>() + i * floats)});
  }
  parallel_items(plan.tasks, [&](int64_t task) { slots[omp_get_thread_num()].worker.run(task); });
}

}  // namespace engine
