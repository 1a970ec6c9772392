// Tensors that a name determines, with the same bits in any language: the inputs of the reference
// numbers.
#pragma once

#include <string>

#include "engine/tensor.h"

namespace test_support {

// Element i is scale * u + shift with u in [-1, 1): splitmix64 of fnv1a(name) + seed, advanced by
// i + 1; computed in double, then rounded to the type.
engine::Tensor hashed_tensor(const std::string& name, const engine::Shape& shape,
                             double scale = 1.0, double shift = 0.0, uint64_t seed = 0,
                             engine::DType dtype = engine::DType::f64);

}  // namespace test_support
