// Sets this thread's convolution policy for the length of a scope. Comparisons with reference
// numbers use `direct`, because Winograd's F(4x4,3x3) has three to five times its rounding error.
#pragma once

#include "engine/context.h"

namespace test_support {

class WithConvPolicy {
 public:
  explicit WithConvPolicy(engine::ConvPolicy policy)
      : before_(engine::cpu_context().settings.conv_policy) {
    engine::cpu_context().settings.conv_policy = policy;
  }
  ~WithConvPolicy() { engine::cpu_context().settings.conv_policy = before_; }
  WithConvPolicy(const WithConvPolicy&) = delete;
  WithConvPolicy& operator=(const WithConvPolicy&) = delete;

 private:
  engine::ConvPolicy before_;
};

}  // namespace test_support
