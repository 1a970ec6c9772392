// Several threads of control on one thread of the system: each has a stack, one runs at a time, and
// only suspend() changes which.
#pragma once

#include <cstddef>

#include "tests/cuda_emulation/sanitizers.h"

namespace cuda_emulation {

class Fiber {
 public:
  // Begins with entry(), which must never return, at the first resume().
  explicit Fiber(void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From the system's stack: runs the fiber until it suspends itself.
  void resume();

  // From a fiber: back to where it was resumed.
  static void suspend();

 private:
  static void begin();

  static constexpr size_t kStackBytes = size_t{64} << 10;

  void (*entry_)();
  char* mapping_;        // a page that faults, then the stack
  void* stack_pointer_;  // where the fiber stands while it is suspended
  Stack stack_;
  ActingThread thread_{"CUDA thread"};
};

}  // namespace cuda_emulation
