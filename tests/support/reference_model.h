// Fills networks with the values the reference numbers were made with.
#pragma once

#include <map>
#include <string>

#include "layers/module.h"

namespace test_support {

// Every parameter from its name, as hashed_init of the reference does: weights of two or more
// dimensions uniform with variance 1 / fan-in, BN weights in 1 +- 0.25, the rest in +- 0.1.
void hashed_init(const layers::Module& module, uint64_t seed = 0);

// Copies every parameter "x.*" over its partner "x_k.*": the momentum branch starts as the online
// one.
void copy_to_momentum_branch(const layers::Module& module);

}  // namespace test_support
