// The CPU threads that a command computes with.
#pragma once

#include <string>

#include "engine/cpu/cores.h"

namespace apps {

struct Threads {
  int count = 1;
  std::string reason;  // what sets the count, for people: "2 cores", "8 cores for 4 ranks"
};

// Has OpenMP give the calling thread a team of `wanted` threads, or for 0 one per core that is left
// to this rank, and says how many it will really provide: OMP_THREAD_LIMIT may allow fewer.
// OMP_DYNAMIC is switched off, since oneDNN waits for every thread that it was promised.
Threads use_threads(int wanted, const engine::Sharing& sharing = {});

// Lets OpenMP's threads sleep almost at once when they wait, if `busy` threads (those that compute
// and all others) are more than the usable cores: a thread that spins takes a core from one that
// works. libgomp reads its settings when the program is loaded, so the program starts itself anew
// with GOMP_SPINCOUNT set: call this before anything has happened. Does nothing if GOMP_SPINCOUNT
// or OMP_WAIT_POLICY is set already.
void sleep_if_cores_are_short(int busy);

}  // namespace apps
