// Convolves under one policy as long as it lives. Comparisons with reference numbers run direct:
// Winograd's F(4x4,3x3) rounds three to five times as coarsely.
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
