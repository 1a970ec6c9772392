// Threads of a parallel region that share work: one alone, all, or one of several equal teams.
#pragma once

#include <omp.h>

#include "engine/cpu/lanes.h"

namespace engine {

struct Team {
  int64_t member = 0, size = 1, number = 0, teams = 1;

  // The team of the calling thread: one of `wanted`, or the team of all threads if they cannot be
  // split evenly.
  static Team of(int64_t wanted) {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    const int64_t teams = threads % wanted == 0 ? wanted : 1, size = threads / teams;
    return {thread % size, size, thread / size, teams};
  }
  static Team all() { return of(1); }
  // Calls f(i) for this member's part of 0 .. count-1.
  template <class F>
  void share(int64_t count, F&& f) const {
    for (int64_t i = part_begin(count, member, size); i < part_begin(count, member + 1, size);
         ++i) {
      f(i);
    }
  }
  // Waits for the other members. It is a barrier of the whole region, so all teams must wait
  // equally often.
  void wait() const {
    if (size == 1) return;
#pragma omp barrier
  }
};

}  // namespace engine
