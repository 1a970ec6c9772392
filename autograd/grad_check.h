// Gradient check: compares what backward computes with central differences, in float64.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace autograd {

// One op with inputs on which its gradient can be tested. `function` maps the inputs, which are
// leaves, to an output of any shape. Gradient checks call it with f64 tensors on the CPU;
// comparisons of devices call it with any type and on any device. The inputs keep away from kinks
// (x = 0 for ReLU) by more than the step of the differences.
struct OpCase {
  std::string name;
  std::vector<Tensor> inputs;
  std::function<Var(const std::vector<Var>&)> function;
};

// Converts a constant that such a function uses to the type (f32 at least) and device of its
// inputs.
Tensor beside(const std::vector<Var>& inputs, const Tensor& constant);

struct GradCheckResult {
  double error = 0.0;   // largest |analytic - numeric| / max(|analytic|, |numeric|, floor)
  int64_t checked = 0;  // number of input elements compared
  std::string worst;    // "input 1 [3]: analytic 0.5, numeric 0.7"
};

// Compares d(sum(output * r)) / d input for a fixed random r and every element of every input, with
// steps of 1e-5. The floor is 1e-2 of the largest gradient of that input: a difference quotient in
// float64 has no accurate digits below it.
GradCheckResult check_gradients(const OpCase& op);

// The largest error that counts as a pass. Central differences are accurate to about 1e-9 of the
// function's scale; a wrong formula shows as 1e-3 or more.
inline constexpr double kGradCheckTolerance = 1e-6;

// Every op of autograd/ops.h with all of its options.
std::vector<OpCase> op_cases();

}  // namespace autograd
