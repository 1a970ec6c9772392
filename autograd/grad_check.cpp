#include "autograd/grad_check.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "autograd/tape.h"
#include "engine/random.h"
#include "engine/tensor_ops.h"

namespace autograd {
namespace {

constexpr double kStep = 1e-5;

Tensor random_like(const Tensor& t, uint64_t seed) {
  engine::Random random(seed);
  std::vector<double> values(static_cast<size_t>(t.elements()));
  for (double& value : values) value = random.uniform(-1.0, 1.0);
  return to_layout(engine::from_values(t.shape(), values), t.layout());
}

std::vector<Var> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Var> vars;
  for (const Tensor& input : inputs) vars.push_back(Var::leaf(input));
  return vars;
}

// sum(function(inputs) * weights)
double weighted_output(const OpCase& op, const std::vector<double>& weights) {
  const NoGrad nothing_recorded;
  const std::vector<double> y = engine::to_values(op.function(leaves(op.inputs)).value());
  double sum = 0.0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * weights[i];
  return sum;
}

double numeric_gradient(const OpCase& op, double& element, const std::vector<double>& weights) {
  const double value = element;
  element = value + kStep;
  const double above = weighted_output(op, weights);
  element = value - kStep;
  const double below = weighted_output(op, weights);
  element = value;
  return (above - below) / (2.0 * kStep);
}

void compare_input(const OpCase& op, size_t number, const std::vector<double>& analytic,
                   const std::vector<double>& weights, GradCheckResult& result) {
  Tensor input = op.inputs[number];  // shares the memory that function reads
  double largest = 0.0;
  for (const double gradient : analytic) largest = std::max(largest, std::abs(gradient));
  const double floor = std::max(1e-2 * largest, 1e-8);
  for (size_t i = 0; i < analytic.size(); ++i) {
    const double numeric = numeric_gradient(op, input.data<double>()[i], weights);
    const double scale = std::max({std::abs(analytic[i]), std::abs(numeric), floor});
    const double error = std::abs(analytic[i] - numeric) / scale;
    ++result.checked;
    if (error <= result.error) continue;
    result.error = error;
    std::ostringstream worst;
    worst << "input " << number << " [" << i << "]: analytic " << analytic[i] << ", numeric "
          << numeric;
    result.worst = worst.str();
  }
}

}  // namespace

Tensor beside(const std::vector<Var>& inputs, const Tensor& constant) {
  const Tensor& model = inputs.front().value();
  return to_device(to_dtype(constant, engine::at_least_f32(model.dtype())), model.device());
}

GradCheckResult check_gradients(const OpCase& op) {
  const std::vector<Var> inputs = leaves(op.inputs);
  Tape tape;
  const Var y = op.function(inputs);
  const Tensor weights = random_like(y.value(), engine::hash_name(op.name));
  tape.backward(y, weights);

  GradCheckResult result;
  const std::vector<double> weight_values = engine::to_values(weights);
  for (size_t i = 0; i < inputs.size(); ++i) {
    engine::require(inputs[i].grad().defined(), "gradient check of ", op.name, ": input ", i,
                    " got no gradient");
    compare_input(op, i, engine::to_values(inputs[i].grad()), weight_values, result);
  }
  return result;
}

}  // namespace autograd
