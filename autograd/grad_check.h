// Gradient check: what backward computes against central differences, in float64.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace autograd {

// One op with inputs on which its gradient can be tested. `function` maps the inputs (leaves; f64
// on the CPU to check gradients, any type and device to compare backends) to the output, which may
// have any shape. The inputs keep away from kinks (x = 0 for ReLU) by more than the step of the
// differences.
struct OpCase {
  std::string name;
  std::vector<Tensor> inputs;
  std::function<Var(const std::vector<Var>&)> function;
};

// A constant of such a function in the type of its inputs (f32 at least) and where they are.
Tensor beside(const std::vector<Var>& inputs, const Tensor& constant);

struct GradCheckResult {
  double error = 0.0;   // largest |analytic - numeric| / max(|analytic|, |numeric|, floor)
  int64_t checked = 0;  // number of input elements compared
  std::string worst;    // "input 1 [3]: analytic 0.5, numeric 0.7"
};

// Compares d(sum(output * r)) / d input for a fixed random r, every element of every input, with
// steps of 1e-5. The floor is 1e-2 of the largest gradient of that input: below it a difference
// quotient in float64 has no digits left.
GradCheckResult check_gradients(const OpCase& op);

// The largest error that counts as a pass: central differences are good to about 1e-9 of the
// function's scale, an error in a formula shows as 1e-3 or more.
inline constexpr double kGradCheckTolerance = 1e-6;

// Every op of autograd/ops.h in all its options.
std::vector<OpCase> op_cases();

}  // namespace autograd
