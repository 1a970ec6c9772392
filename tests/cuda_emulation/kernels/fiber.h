// Several threads of control within one thread of the system. Each has its own stack. One runs at a
// time, until it calls suspend().
#pragma once

#include <cstddef>

#include "tests/cuda_emulation/sanitizers.h"

namespace cuda_emulation {

class Fiber {
 public:
  // The first resume() calls entry(), which must never return.
  explicit Fiber(void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Called on the system's stack: runs the fiber until it calls suspend().
  void resume();

  // Called by a fiber: returns to where it was resumed.
  static void suspend();

 private:
  static void begin();

  static constexpr size_t kStackBytes = size_t{64} << 10;

  void (*entry_)();
  char* mapping_;        // a guard page, then the stack
  void* stack_pointer_;  // of the suspended fiber
  Stack stack_;
  ActingThread thread_{"CUDA thread"};
};

}  // namespace cuda_emulation
