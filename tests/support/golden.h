// The reference numbers of tests/golden, and distances from them.
#pragma once

#include <string>

#include "engine/files/tensor_file.h"

namespace test_support {

engine::TensorFile golden(const std::string& name);

double norm(const engine::Tensor& t);

// |a - b| / max(|b|, floor) in Euclidean norms; the types and layouts may differ. Infinite if the
// shapes differ or a difference is NaN.
double distance(const engine::Tensor& a, const engine::Tensor& b, double floor = 0.0);

}  // namespace test_support
