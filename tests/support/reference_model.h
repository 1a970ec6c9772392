// Fills networks with the values that the reference numbers were made with.
#pragma once

#include "layers/module.h"

namespace test_support {

// Sets every parameter to values determined by its name, as hashed_init of the reference does:
// weights of two or more dimensions are uniform with variance 1 / fan-in, BN weights are in
// 1 +- 0.25, all others in +- 0.1.
void hashed_init(const layers::Module& module, uint64_t seed = 0);

// Copies every parameter "x.*" to "x_k.*": the momentum encoder starts as a copy of the online one.
void copy_to_momentum_encoder(const layers::Module& module);

}  // namespace test_support
