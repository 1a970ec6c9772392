// Counts what steps and the making of their images must not do once they are under way.
#pragma once

#include "tests/cuda_emulation/control.h"

namespace test_support {

// How often the host has waited for the emulated device or asked its runtime for memory. Without
// the caching allocator, tensors are allocated in stream order; that is not counted.
inline int64_t waits_and_allocations() {
  int64_t count = 0;
  for (const char* name : {"cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost",
                           "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaMemcpy"}) {
    count += cuda_emulation::call_count(name);
  }
  return count;
}

}  // namespace test_support
