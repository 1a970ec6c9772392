// Every op case: gradients against central differences, in each layout that a float64 op can have.
#include "autograd/ops.h"

#include <gtest/gtest.h>

#include "autograd/grad_check.h"
#include "engine/tensor_ops.h"
#include "tests/support/op_case_name.h"

namespace autograd {

namespace {

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
        return record("wrong", {in[0]}, y, save(), [](const Tensor& dy, const Needs&) -> Gradients {
          Tensor dx = empty_like(dy);
          engine::on_device(dy.device(), [&](auto& ctx) { engine::scale(ctx, dy, 1.001, dx); });
          return {dx};
        });
      }};
  const GradCheckResult result = check_gradients(wrong);
  EXPECT_GT(result.error, 100 * kGradCheckTolerance);
  EXPECT_NE(result.worst.find("analytic"), std::string::npos);
}

// The channel-wise ops once more on channels-last and blocked tensors.
class OpLayout : public testing::TestWithParam<Layout> {};

TEST_P(OpLayout, ChangesNoGradient) {
  const Layout layout = GetParam();
  std::vector<double> numbers;
  for (int i = 0; i < 2 * 16 * 5 * 3; ++i) numbers.push_back(0.01 * ((i * 37) % 199) - 0.995);
  const Tensor x = engine::from_values<double>({2, 16, 5, 3}, numbers);
  BatchNorm norm{.views = 2, .relu = true};
  norm.weight = Var(engine::full({16}, 1.5, DType::f64));
  norm.bias = Var(engine::full({16}, 0.1, DType::f64));
  norm.running_mean = engine::zeros({16}, DType::f64);
  norm.running_var = engine::full({16}, 1.0, DType::f64);
  const std::vector<std::pair<std::string, std::function<Var(const Var&)>>> ops = {
      {"batch_norm", [&](const Var& in) { return batch_norm(in, in, norm); }},
      {"relu", [](const Var& in) { return relu(in); }},
      {"l2_normalize", [](const Var& in) { return l2_normalize(in); }},
      {"max_pool2d",
       [](const Var& in) {
         return max_pool2d(in, {3, 2, 1});
       }},
      {"global_average_pool", [](const Var& in) { return global_average_pool(in); }},
      {"flatten_pixels", [](const Var& in) { return flatten_pixels(in); }},
  };
  for (const auto& [name, op] : ops) {
    Tensor plain_y, plain_dx;
    for (const Layout current : {Layout::plain, layout}) {
      const Var in = Var::leaf(engine::to_layout(x, current));
      Tape tape;
      const Var y = op(in);
      tape.backward(y, y.value());
      if (current == Layout::plain) {
        plain_y = y.value(), plain_dx = in.grad();
      } else {
        const std::vector<double> a = engine::to_values(plain_dx), b = engine::to_values(in.grad());
        for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-12) << name << " at " << i;
        EXPECT_EQ(engine::to_values(plain_y).size(), engine::to_values(y.value()).size());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpLayout,
                         testing::Values(Layout::nhwc, Layout::blocked8, Layout::blocked16));

}  // namespace
}  // namespace autograd
