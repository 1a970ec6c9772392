// The reference numbers of tests/golden and how far something is from them.
#pragma once

#include <string>

#include "engine/files/tensor_file.h"

namespace test_support {

engine::TensorFile golden(const std::string& name);

double norm(const engine::Tensor& t);

// |a - b| / max(|b|, floor), Euclidean norms over tensors of any type and layout. Infinite where
// the shapes differ or a difference is not a number.
double distance(const engine::Tensor& a, const engine::Tensor& b, double floor = 0.0);

}  // namespace test_support
