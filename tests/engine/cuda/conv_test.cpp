// Convolution on CUDA against the CPU's reference kernels in float64.
#include "engine/kernels/conv.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "tests/support/conv_cases.h"
#include "tests/support/cuda.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::conv_cases;
using test_support::ConvCase;
using test_support::distance;
using test_support::error_of;
using test_support::hashed_tensor;
using test_support::kCuda;

struct Inputs {
  Tensor x, w, bias, dy;
};
struct Results {
  Tensor y, dx, sum, dw, db;  // sum: x + dx
};

// In f64 on the CPU.
Inputs inputs_of(const ConvCase& c) {
  const auto values = [](const char* name, const Shape& shape) {
    return hashed_tensor(name, shape);
  };
  return {.x = values("x", c.x),
          .w = values("w", c.w),
          .bias = values("b", {c.w[0]}),
          .dy = values("dy", conv2d_output_shape(c.x, c.w, c.options))};
}

// Outputs with the inputs' type, device and layout.
Results run(const Inputs& in, const Conv2dOptions& options) {
  Results out{.y = empty_like(in.dy),
              .dx = empty_like(in.x),
              .sum = clone(in.x),
              .dw = empty_like(in.w),
              .db = empty_like(in.bias)};
  on_device(in.x.device(), [&](auto& ctx) {
    conv2d_forward(ctx, in.x, in.w, in.bias, options, out.y);
    conv2d_backward_data(ctx, in.dy, in.w, options, out.dx);
    conv2d_backward_data(ctx, in.dy, in.w, options, out.sum, true);
    conv2d_backward_weights(ctx, in.x, in.dy, options, out.dw, out.db);
  });
  return out;
}

Inputs on_cuda(const Inputs& in, DType dtype, Layout activations, Layout weights) {
  const auto there = [&](const Tensor& t, Layout layout) {
    return converted(to_device(t, kCuda), dtype, layout);
  };
  return {.x = there(in.x, activations),
          .w = there(in.w, weights),
          .bias = to_device(to_dtype(in.bias, DType::f32), kCuda),
          .dy = there(in.dy, activations)};
}

void expect_near(const Results& found, const Results& expected, double tolerance,
                 const ConvCase& c) {
  EXPECT_LE(distance(found.y, expected.y), tolerance) << "y of x " << c.x << ", w " << c.w;
  EXPECT_LE(distance(found.dx, expected.dx), tolerance) << "dx of x " << c.x << ", w " << c.w;
  EXPECT_LE(distance(found.sum, expected.sum), tolerance) << "x + dx of x " << c.x << ", w " << c.w;
  EXPECT_LE(distance(found.dw, expected.dw), tolerance) << "dw of x " << c.x << ", w " << c.w;
  EXPECT_LE(distance(found.db, expected.db), tolerance) << "db of x " << c.x << ", w " << c.w;
}

// The same values in f64 on the CPU.
Inputs exactly(const Inputs& in) {
  const auto values = [](const Tensor& t) { return from_values(t.shape(), to_values(t)); };
  return {values(in.x), values(in.w), values(in.bias), values(in.dy)};
}

TEST(CudaConv2d, EqualsTheCpu) {
  SKIP_WITHOUT_CUDA();
  for (const ConvCase& c : conv_cases()) {
    for (const Layout layout : {Layout::nhwc, Layout::plain}) {
      const Inputs in = on_cuda(inputs_of(c), DType::f32, layout, layout);
      expect_near(run(in, c.options), run(exactly(in), c.options), 1e-6, c);
    }
  }
}

// Results are rounded to 8 and 11 bits, y once more after the bias is added.
TEST(CudaConv2d, EqualsTheCpuInMixedPrecision) {
  SKIP_WITHOUT_CUDA();
  for (const ConvCase& c : conv_cases()) {
    for (const auto& [dtype, tolerance] : {std::pair(DType::bf16, 3e-3), {DType::f16, 4e-4}}) {
      const Inputs in = on_cuda(inputs_of(c), dtype, Layout::nhwc, Layout::nhwc);
      expect_near(run(in, c.options), run(exactly(in), c.options), tolerance, c);
    }
  }
}

// Rows of a batch may begin at an address that is not aligned for vector loads.
TEST(CudaConv2d, TakesTensorsThatStartAtAnyElement) {
  SKIP_WITHOUT_CUDA();
  const ConvCase c{{3, 5, 3, 3}, {7, 5, 3, 3}, {.padding = 1}};
  const Inputs whole = on_cuda(inputs_of(c), DType::f32, Layout::nhwc, Layout::nhwc);
  const Results expected = run(whole, c.options);
  for (int64_t n = 0; n < 3; ++n) {
    const Inputs one{whole.x.rows(n, 1), whole.w, whole.bias, whole.dy.rows(n, 1)};
    EXPECT_LE(distance(run(one, c.options).y, expected.y.rows(n, 1)), 1e-6) << n;
    EXPECT_LE(distance(run(one, c.options).dx, expected.dx.rows(n, 1)), 1e-6) << n;
  }
}

TEST(CudaConv2d, AnEmptyBatchGivesZeroGradients) {
  SKIP_WITHOUT_CUDA();
  const auto empty = [](const Shape& shape) {
    return Tensor(shape, DType::f32, kCuda, Layout::nhwc);
  };
  Tensor y = empty({0, 32, 3, 3}), dx = empty({0, 16, 5, 5}), dw = empty({32, 16, 3, 3});
  Tensor db = full({32}, 7.0, DType::f32, kCuda);
  const Tensor x = empty({0, 16, 5, 5}), w = empty({32, 16, 3, 3}), none;
  on_device(kCuda, [&](auto& ctx) {
    conv2d_forward(ctx, x, w, none, {}, y);
    conv2d_backward_data(ctx, y, w, {}, dx);
    conv2d_backward_weights(ctx, x, y, {}, dw, db);
  });
  EXPECT_EQ(test_support::norm(dw) + test_support::norm(db), 0.0);
}

TEST(CudaConv2d, ErrorsNameWhatDoesNotFit) {
  SKIP_WITHOUT_CUDA();
  const auto on = [](const Shape& shape, Device device, DType dtype = DType::f32) {
    return zeros(shape, dtype, device);
  };
  const Tensor x = on({1, 3, 4, 4}, kCuda), w = on({5, 3, 1, 1}, kCuda), none;
  const auto forward = [&](const Tensor& weight, const Tensor& bias, Tensor y) {
    return error_of(
        [&] { on_device(kCuda, [&](auto& ctx) { conv2d_forward(ctx, x, weight, bias, {}, y); }); });
  };
  EXPECT_EQ(forward(w, none, on({1, 5, 4, 3}, kCuda)),
            "conv2d: expected the output [1,5,4,4], found [1,5,4,3]");
  EXPECT_EQ(forward(on({5, 3, 1, 1}, kCpu), none, on({1, 5, 4, 4}, kCuda)),
            "conv2d: expected one device, found cuda:0, cpu and cuda:0");
  EXPECT_EQ(forward(w, on({4}, kCuda), on({1, 5, 4, 4}, kCuda)),
            "conv2d: expected a bias f32 [5], found f32 [4] plain cuda:0");
  EXPECT_EQ(forward(w, on({5}, kCpu), on({1, 5, 4, 4}, kCuda)),
            "conv2d: expected the bias on cuda:0, found f32 [5] plain cpu");
}

}  // namespace
}  // namespace engine
