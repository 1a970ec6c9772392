// Tests layers/optim/sgd.cpp.
#include "layers/optim/sgd.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "tests/support/golden.h"

namespace layers {
namespace {

using engine::TensorFile;
using test_support::distance;

const std::vector<std::string> kNames = {"conv.weight", "conv.bias", "bn.weight",
                                         "bn.bias",     "fc.weight", "zero.weight"};

class LarsGolden : public testing::TestWithParam<DType> {};

TEST_P(LarsGolden, EqualsTheReferenceForFiveSteps) {
  const TensorFile golden = test_support::golden("lars.safetensors");
  std::vector<NamedVar> parameters;
  for (const std::string& name : kNames) {
    const Tensor& start = find_tensor(golden, "initial." + name);
    parameters.push_back({name, Var::leaf(engine::clone(to_dtype(start, GetParam())))});
  }
  Sgd optimizer(parameters, {.weight_decay = 1e-2});
  const double tolerance = GetParam() == DType::f64 ? 1e-12 : 1e-6;
  for (int step = 0; step < 5; ++step) {
    const std::string number = std::to_string(step) + ".";
    for (const NamedVar& p : parameters) {
      p.var.slot()->accumulate(
          to_dtype(find_tensor(golden, "grad." + number + p.name), GetParam()));
    }
    optimizer.step(0.1 * (step + 1));
    for (const NamedVar& p : parameters) {
      const Tensor& expected = find_tensor(golden, "param." + number + p.name);
      EXPECT_LE(distance(p.var.value(), expected), tolerance) << p.name << " after step " << step;
      EXPECT_FALSE(p.var.grad().defined()) << p.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LarsGolden, testing::Values(DType::f64, DType::f32));

TEST(Sgd, DecaysEveryParameterWithoutLars) {
  const Var bias = Var::leaf(engine::full({2}, 1.0, DType::f64));
  Sgd optimizer({{"bias", bias}}, {.lars = false, .momentum = 0.5, .weight_decay = 0.1});
  bias.slot()->accumulate(engine::full({2}, 1.0, DType::f64));
  optimizer.step(1.0);  // buffer 1.1, value -0.1
  bias.slot()->accumulate(engine::full({2}, 1.0, DType::f64));
  optimizer.step(1.0);  // buffer 0.55 + 1 - 0.01 = 1.54
  EXPECT_NEAR(engine::to_values(bias.value())[0], -0.1 - 1.54, 1e-15);
}

TEST(Sgd, LeavesAParameterWithoutGradientAlone) {
  const Var used = Var::leaf(engine::full({2, 2}, 1.0)),
            unused = Var::leaf(engine::full({2, 2}, 1.0));
  Sgd optimizer({{"used", used}, {"unused", unused}}, {});
  used.slot()->accumulate(engine::full({2, 2}, 1.0));
  optimizer.step(1.0);
  EXPECT_LT(engine::to_values(used.value())[0], 1.0);
  EXPECT_EQ(engine::to_values(unused.value())[0], 1.0);
}

TEST(Sgd, FollowersMoveOnlyWhenTold) {
  const auto two = [](double value) { return engine::full({2}, value, DType::f64); };
  const Var learns = Var::leaf(two(1.0)), rests = Var::leaf(two(1.0));
  const Tensor a = two(0.0), b = two(0.0);
  const auto first = [](const Tensor& t) { return engine::to_values(t)[0]; };
  Sgd optimizer({{"learns", learns}, {"rests", rests}}, {.lars = false, .weight_decay = 0.0},
                {{"rests", b}, {"learns", a}});
  learns.slot()->accumulate(two(0.5));
  optimizer.step(1.0);
  EXPECT_EQ(first(learns.value()), 0.5);
  EXPECT_EQ(first(a), 0.0);
  optimizer.follow(0.75);
  EXPECT_EQ(first(a), 0.125);
  EXPECT_EQ(first(b), 0.25);
  learns.slot()->accumulate(two(0.05));  // momentum 0.9 * 0.5 + 0.05 = 0.5, value 0
  optimizer.step(1.0, {}, {}, 0.5);
  EXPECT_NEAR(first(a), 0.0625, 1e-15);
  EXPECT_EQ(first(b), 0.625);
}

TEST(Sgd, RefusesAFollowerOfAnUnknownParameter) {
  const Var weight = Var::leaf(engine::full({2}, 1.0));
  EXPECT_THROW(Sgd({{"weight", weight}}, {}, {{"other", engine::full({2}, 1.0)}}), engine::Error);
}

}  // namespace
}  // namespace layers
