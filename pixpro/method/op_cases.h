// Gradient-check cases of the method's ops: losses and propagation (with both heads).
#pragma once

#include <vector>

#include "autograd/grad_check.h"

namespace pixpro {

std::vector<autograd::OpCase> method_op_cases();

}  // namespace pixpro
