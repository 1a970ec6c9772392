// Tests that need a CUDA device, real or emulated.
#pragma once

#include <string>

#include "engine/context.h"

namespace test_support {

inline constexpr engine::Device kCuda{engine::Device::Type::cuda, 0};

// Why there is none; empty if there is one. Every CUDA test begins with
//   SKIP_WITHOUT_CUDA();
std::string why_no_cuda();

// Whether every tensor requests its memory from the driver, which some tests count or limit:
// PIXPRO_CUDA_CACHE is "off". With any other value, also an empty one, the cache is on.
bool cuda_cache_is_off();

// While an object of this class exists, this thread's kernels on kCuda give the same bits in every
// run. On a GPU those of cuDNN otherwise need not: some add with atomics.
class DeterministicCuda {
 public:
  DeterministicCuda() { set({.deterministic = true}); }
  ~DeterministicCuda() { set({}); }
  DeterministicCuda(const DeterministicCuda&) = delete;
  DeterministicCuda& operator=(const DeterministicCuda&) = delete;

 private:
  static void set(const engine::CudaSettings& settings) {
    if constexpr (engine::kHasCuda) engine::set_cuda(kCuda.index, settings);
  }
};

}  // namespace test_support

#define SKIP_WITHOUT_CUDA() \
  if (const std::string why = test_support::why_no_cuda(); !why.empty()) GTEST_SKIP() << why
