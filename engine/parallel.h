// Work sharing on the CPU.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace engine {

// The least number of items worth a thread of their own if each handles `elements` elements. Waking
// a thread costs about as much as passing over 2^14 elements.
inline int64_t grain_of(int64_t elements) {
  return (int64_t{1} << 14) / std::max<int64_t>(elements, 1) + 1;
}

// Divides 0 .. count-1 into contiguous ranges and calls f(begin, end) for them on the OpenMP
// threads. Each range has at least `grain` items unless it is the only one, so small work stays on
// the calling thread. f must not throw: check arguments first. Results may not depend on how the
// items are divided, so a sum over all items is formed from one partial sum per item, in item
// order.
template <class F>
void parallel_for(int64_t count, int64_t grain, F&& f) {
  const int64_t most =
      std::min<int64_t>(omp_get_max_threads(), count / std::max<int64_t>(grain, 1));
  if (most <= 1 || omp_in_parallel()) {
    if (count > 0) f(int64_t{0}, count);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(most))
  {
    const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
    const int64_t begin = count * part / parts, end = count * (part + 1) / parts;
    if (begin < end) f(begin, end);
  }
}

// Calls f(i) for 0 .. count-1 on the OpenMP threads, for items of much work. A thread begins with
// its own contiguous share, the one parallel_for would give it, and finds in its cache what it
// wrote there before. Then it takes over items that other threads have not begun. f is as for
// parallel_for.
template <class F>
void parallel_items(int64_t count, F&& f) {
  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };
  const int64_t threads = omp_get_max_threads();
  std::vector<Share> shares(threads);
  for (int64_t i = 0; i < threads; ++i) {
    shares[i].next = count * i / threads, shares[i].end = count * (i + 1) / threads;
  }
#pragma omp parallel
  for (int64_t i = 0; i < threads; ++i) {
    Share& share = shares[(omp_get_thread_num() + i) % threads];
    for (int64_t item = share.next++; item < share.end; item = share.next++) f(item);
  }
}

}  // namespace engine
