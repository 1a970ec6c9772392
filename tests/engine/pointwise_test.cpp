// Pointwise kernels and the operations of tensor_ops.h.
#include "engine/kernels/pointwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

TEST(Layouts, EveryConversionKeepsEveryElement) {
  const Tensor x = hashed_tensor("x", {3, 32, 5, 7});
  constexpr Layout kLayouts[] = {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16};
  for (const Layout from : kLayouts) {
    for (const Layout to : kLayouts) {
      EXPECT_EQ(distance(to_layout(to_layout(x, from), to), x), 0.0) << from << " to " << to;
    }
  }
}

TEST(Layouts, HaveTheOrderTheirNameSays) {
  Tensor x({1, 16, 1, 2});
  for (int64_t i = 0; i < 32; ++i) x.data<float>()[i] = static_cast<float>(i);
  // Channel c, pixel p holds 2 c + p.
  EXPECT_EQ(to_layout(x, Layout::nhwc).data<float>()[16 + 3], 2 * 3 + 1);
  EXPECT_EQ(to_layout(x, Layout::blocked8).data<float>()[(1 * 2 + 1) * 8 + 3], 2 * 11 + 1);
  EXPECT_EQ(to_layout(x, Layout::blocked16).data<float>()[16 + 11], 2 * 11 + 1);
}

TEST(Pointwise, AddAndScaleWorkInPlace) {
  const Tensor a = hashed_tensor("a", {1000}), b = hashed_tensor("b", {1000});
  Tensor sum = empty_like(a), in_place = clone(a);
  add(cpu_context(), a, b, sum);
  add(cpu_context(), in_place, b, in_place);
  EXPECT_EQ(distance(sum, in_place), 0.0);
  EXPECT_EQ(sum.data<double>()[7], a.data<double>()[7] + b.data<double>()[7]);
  scale(cpu_context(), in_place, 2.0, in_place);
  EXPECT_EQ(in_place.data<double>()[7], 2.0 * sum.data<double>()[7]);
}

TEST(Pointwise, ReluKeepsANaN) {
  const Tensor x = from_values<float>({3}, {-1.0F, 2.0F, std::nanf("")});
  Tensor y = empty_like(x);
  relu_forward(cpu_context(), x, y);
  EXPECT_EQ(y.data<float>()[0], 0.0F);
  EXPECT_EQ(y.data<float>()[1], 2.0F);
  EXPECT_TRUE(std::isnan(y.data<float>()[2]));
}

TEST(Pointwise, ClampPowerAtTheClampPassesTheGradient) {
  const Tensor x = from_values<double>({3}, {-0.5, 0.0, 0.5}), dy = full({3}, 1.0, DType::f64);
  Tensor y = empty_like(x), dx = empty_like(x);
  clamp_power_forward(cpu_context(), x, {.low = 0.0, .power = 1.0}, y);
  clamp_power_backward(cpu_context(), dy, x, {.low = 0.0, .power = 1.0}, dx);
  EXPECT_EQ(to_values(y), (std::vector<double>{0.0, 0.0, 0.5}));
  EXPECT_EQ(to_values(dx), (std::vector<double>{0.0, 1.0, 1.0}));
}

TEST(Pointwise, AddBiasAndItsGradient) {
  const Tensor x = hashed_tensor("x", {5, 3}), bias = hashed_tensor("b", {3});
  Tensor y = empty_like(x), db = empty_like(bias);
  add_bias(cpu_context(), x, bias, y);
  add_bias_backward(cpu_context(), x, db);
  EXPECT_EQ(y.data<double>()[4], x.data<double>()[4] + bias.data<double>()[1]);
  double sum = 0.0;
  for (int64_t i = 0; i < 5; ++i) sum += x.data<double>()[i * 3 + 1];
  EXPECT_NEAR(db.data<double>()[1], sum, 1e-15);
}

TEST(Pointwise, RefusesTensorsThatDiffer) {
  Tensor y({2, 3});
  EXPECT_THROW(add(cpu_context(), Tensor({2, 3}), Tensor({3, 2}), y), Error);
  EXPECT_THROW(relu_forward(cpu_context(), Tensor({2, 3}, DType::f64), y), Error);
  EXPECT_THROW(convert(cpu_context(), Tensor({3, 2}), y), Error);
}

TEST(TensorOps, ConcatenatesRowsAndClones) {
  const Tensor a = hashed_tensor("a", {2, 16, 3, 3}), b = hashed_tensor("b", {1, 16, 3, 3});
  const Tensor joined =
      concatenate_rows({to_layout(a, Layout::blocked8), to_layout(b, Layout::blocked8)});
  EXPECT_EQ(joined.shape(), (Shape{3, 16, 3, 3}));
  EXPECT_EQ(distance(joined.rows(0, 2), a), 0.0);
  EXPECT_EQ(distance(joined.rows(2, 1), b), 0.0);
  Tensor copy = clone(a);
  copy.data<double>()[0] += 1.0;
  EXPECT_NE(copy.data<double>()[0], a.data<double>()[0]);
  EXPECT_THROW(concatenate_rows({a, hashed_tensor("c", {1, 8, 3, 3})}), Error);
  EXPECT_THROW(concatenate_rows({}), Error);
}

}  // namespace
}  // namespace engine
