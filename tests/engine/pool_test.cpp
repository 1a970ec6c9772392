#include "engine/kernels/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

constexpr Layout kLayouts[] = {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16};

TEST(MaxPool2d, EqualsTheFormulaInEveryLayout) {
  for (const PoolOptions o : {PoolOptions{3, 2, 1}, PoolOptions{2, 2, 0}, PoolOptions{3, 1, 1}}) {
    const Tensor x = hashed_tensor("x", {2, 16, 7, 9});
    const Shape out = max_pool2d_output_shape(x.shape(), o);
    const Tensor dy = hashed_tensor("dy", out);
    Tensor y(out, DType::f64), dx = zeros(x.shape(), DType::f64);
    for (int64_t i = 0; i < out.elements(); ++i) {
      const int64_t plane = i / (out[2] * out[3]), row = i / out[3] % out[2], column = i % out[3];
      int64_t best = -1;
      for (int64_t u = 0; u < o.size * o.size; ++u) {
        const int64_t r = row * o.stride - o.padding + u / o.size;
        const int64_t c = column * o.stride - o.padding + u % o.size;
        if (r < 0 || r >= 7 || c < 0 || c >= 9) continue;
        const int64_t place = (plane * 7 + r) * 9 + c;
        if (best < 0 || x.data<double>()[place] > x.data<double>()[best]) best = place;
      }
      y.data<double>()[i] = x.data<double>()[best];
      dx.data<double>()[best] += dy.data<double>()[i];
    }
    for (const Layout layout : kLayouts) {
      for (const DType dtype : {DType::f64, DType::f32}) {
        const Tensor in = to_layout(to_dtype(x, dtype), layout);
        const Tensor grad = to_layout(to_dtype(dy, dtype), layout);
        Tensor pooled = empty_like(grad), back = empty_like(in);
        Tensor winner(out, DType::u8, kCpu, layout);
        max_pool2d_forward(cpu_context(), in, o, pooled, winner);
        max_pool2d_backward(cpu_context(), grad, winner, o, back);
        EXPECT_LE(distance(pooled, y), 1e-7) << layout << dtype;
        EXPECT_LE(distance(back, dx), 1e-6) << layout << dtype;
      }
    }
  }
}

TEST(MaxPool2d, ANaNWinsAndTheFirstOfEqualsTakesTheGradient) {
  Tensor x = full({1, 1, 2, 4}, 1.0), y({1, 1, 1, 2}), winner({1, 1, 1, 2}, DType::u8);
  x.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  max_pool2d_forward(cpu_context(), x, {2, 2, 0}, y, winner);
  EXPECT_EQ(winner.data<uint8_t>()[0], 0);
  EXPECT_EQ(winner.data<uint8_t>()[1], 1);
  EXPECT_TRUE(std::isnan(y.data<float>()[1]));
}

TEST(MaxPool2d, RefusesWindowsThatDoNotFit) {
  EXPECT_THROW(max_pool2d_output_shape({1, 1, 2, 2}, {5, 1, 1}), Error);
  EXPECT_THROW(max_pool2d_output_shape({1, 1, 8, 8}, {3, 2, 2}), Error);
  EXPECT_THROW(max_pool2d_output_shape({1, 8, 8}, {3, 2, 1}), Error);
}

TEST(GlobalAveragePool, IsTheMeanInEveryLayout) {
  const Tensor x = hashed_tensor("x", {3, 16, 5, 4}), dy = hashed_tensor("dy", {3, 16});
  Tensor mean = zeros({3, 16}, DType::f64), spread(x.shape(), DType::f64);
  for (int64_t i = 0; i < x.elements(); ++i) {
    mean.data<double>()[i / 20] += x.data<double>()[i] / 20.0;
    spread.data<double>()[i] = dy.data<double>()[i / 20] / 20.0;
  }
  for (const Layout layout : kLayouts) {
    const Tensor in = to_layout(x, layout);
    Tensor y = empty_like(dy), dx = empty_like(in);
    global_average_pool_forward(cpu_context(), in, y);
    global_average_pool_backward(cpu_context(), dy, dx);
    EXPECT_LE(distance(y, mean), 1e-14) << layout;
    EXPECT_LE(distance(dx, spread), 1e-14) << layout;
  }
}

}  // namespace
}  // namespace engine
