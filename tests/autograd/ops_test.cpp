// Tests autograd/ops/: the gradients of every op case against central differences, and that no
// layout changes a result.
#include "autograd/ops.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/grad_check.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/op_case_name.h"

namespace autograd {

namespace {

using test_support::hashed_tensor;

class OpGradient : public testing::TestWithParam<OpCase> {};

TEST_P(OpGradient, AgreesWithCentralDifferences) {
  const GradCheckResult result = check_gradients(GetParam());
  EXPECT_GT(result.checked, 0);
  EXPECT_LT(result.error, kGradCheckTolerance) << result.worst;
}

INSTANTIATE_TEST_SUITE_P(All, OpGradient, testing::ValuesIn(op_cases()),
                         test_support::op_case_name);

TEST(GradCheck, FindsAWrongGradient) {
  const OpCase wrong{
      "wrong", {engine::full({3}, 0.7, DType::f64)}, [](const std::vector<Var>& in) {
        Tensor y = engine::clone(in[0].value());
        return record("wrong", {in[0]}, y, save(), [](const Tensor& dy) -> Gradients {
          Tensor dx = empty_like(dy);
          engine::on_device(dy.device(), [&](auto& ctx) { engine::scale(ctx, dy, 1.001, dx); });
          return {dx};
        });
      }};
  const GradCheckResult result = check_gradients(wrong);
  EXPECT_GT(result.error, 100 * kGradCheckTolerance);
  EXPECT_NE(result.worst.find("analytic"), std::string::npos);
}

BatchNorm unit_norm(int64_t channels) {
  BatchNorm norm{.parts = 2, .relu = true};
  norm.weight = Var::leaf(engine::full({channels}, 1.5, DType::f64));
  norm.bias = Var::leaf(engine::full({channels}, 0.1, DType::f64));
  norm.running_mean = engine::zeros({channels}, DType::f64);
  norm.running_var = engine::full({channels}, 1.0, DType::f64);
  return norm;
}

Tensor some_numbers(const engine::Shape& shape) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < shape.elements(); ++i) {
    numbers.push_back(0.01 * static_cast<double>((i * 37) % 199) - 0.995);
  }
  return engine::from_values<double>(shape, numbers);
}

// It writes into the memory of an input that has been moved in, and of no other.
TEST(BatchNormOp, OverwritesOnlyWhatNobodyElseCanSee) {
  const Tensor x = some_numbers({2, 3, 4, 5});
  const BatchNorm norm = unit_norm(3);
  const auto copied = [&] { return Var(engine::clone(x)); };
  const Var kept = copied();
  const Tensor expected = batch_norm(kept, {}, norm).value();
  EXPECT_EQ(engine::to_values(kept.value()), engine::to_values(x));

  Var given = copied();
  const engine::Buffer* memory = given.value().buffer();
  const Var y = batch_norm(std::move(given), {}, norm);
  EXPECT_EQ(y.value().buffer(), memory);
  EXPECT_EQ(engine::to_values(y.value()), engine::to_values(expected));

  Var watched = copied();
  const Tensor other_handle = watched.value();
  batch_norm(std::move(watched), {}, norm);
  EXPECT_EQ(engine::to_values(other_handle), engine::to_values(x));

  const Tape tape;  // what backward will need must not be overwritten
  Var recorded = copied();
  memory = recorded.value().buffer();
  EXPECT_NE(batch_norm(std::move(recorded), {}, norm).value().buffer(), memory);
}

// A gradient that nobody else holds (here that of scale) is overwritten; the caller's is not.
TEST(BatchNormOp, LeavesAGradientThatOthersHold) {
  const Tensor x = some_numbers({2, 3, 4, 5}), seed = some_numbers({2, 3, 4, 5});
  const BatchNorm norm = unit_norm(3);
  std::vector<std::vector<double>> gradients;
  for (const bool through_scale : {false, true}) {
    const Var in = Var::leaf(x);
    Tape tape;
    const Var y = batch_norm(in, {}, norm);
    tape.backward(through_scale ? scale(y, 1.0) : y, seed);
    gradients.push_back(engine::to_values(in.grad()));
  }
  EXPECT_EQ(engine::to_values(seed), engine::to_values(some_numbers({2, 3, 4, 5})));
  EXPECT_EQ(gradients[0], gradients[1]);
}

// Every case whose inputs are activations only works at other extents too: here at 16 channels,
// which fit every layout. Batch norm's parameters tie it to its channels, so it has a case of its
// own.
std::vector<OpCase> activation_cases() {
  const Tensor x = hashed_tensor("x", {2, 16, 5, 3});
  std::vector<OpCase> found = {
      {"batch_norm", {x, x}, [norm = unit_norm(16)](const std::vector<Var>& in) {
         return batch_norm(in[0], in[1], norm);
       }}};
  for (OpCase& op : op_cases()) {
    const auto is_activation = [](const Tensor& input) { return input.shape().axes() == 4; };
    if (!std::ranges::all_of(op.inputs, is_activation)) continue;
    for (Tensor& input : op.inputs) input = x;
    found.push_back(std::move(op));
  }
  return found;
}

// The output and the gradient of every input, with the inputs in this layout.
std::vector<Tensor> results_in(Layout layout, const OpCase& op) {
  std::vector<Var> inputs;
  for (const Tensor& input : op.inputs) {
    inputs.push_back(Var::leaf(engine::to_layout(input, layout)));
  }
  Tape tape;
  const Var y = op.function(inputs);
  tape.backward(y, engine::to_layout(hashed_tensor("dy", y.shape()), y.value().layout()));
  std::vector<Tensor> results = {y.value()};
  for (const Var& input : inputs) results.push_back(input.grad());
  return results;
}

class OpLayout : public testing::TestWithParam<Layout> {};

TEST_P(OpLayout, ChangesNeitherValueNorGradient) {
  for (const OpCase& op : activation_cases()) {
    const std::vector<Tensor> expected = results_in(Layout::plain, op);
    const std::vector<Tensor> found = results_in(GetParam(), op);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(test_support::distance(found[i], expected[i]), 1e-12)
          << op.name << ", result " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpLayout,
                         testing::Values(Layout::nhwc, Layout::blocked8, Layout::blocked16));

}  // namespace
}  // namespace autograd
