// Names for GoogleTest's tests over op cases.
#pragma once

#include <gtest/gtest.h>

#include <cctype>

#include "autograd/grad_check.h"

namespace autograd {

inline void PrintTo(const OpCase& op, std::ostream* out) { *out << op.name; }

}  // namespace autograd

namespace test_support {

inline std::string op_case_name(const testing::TestParamInfo<autograd::OpCase>& info) {
  std::string name;
  for (const char c : info.param.name) name += std::isalnum(c) != 0 ? c : '_';
  return name + "_" + std::to_string(info.index);
}

}  // namespace test_support
