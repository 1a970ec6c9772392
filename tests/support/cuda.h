// Tests that need a CUDA device, real or emulated.
#pragma once

#include <string>

#include "engine/device.h"

namespace test_support {

inline constexpr engine::Device kCuda{engine::Device::Type::cuda, 0};

// Why there is none; empty where there is. Every CUDA test begins with
//   SKIP_WITHOUT_CUDA();
std::string why_no_cuda();

}  // namespace test_support

#define SKIP_WITHOUT_CUDA() \
  if (const std::string why = test_support::why_no_cuda(); !why.empty()) GTEST_SKIP() << why
