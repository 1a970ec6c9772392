// Convolution in all three directions against loops in float64 that follow the formula.
#include "engine/kernels/conv.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"
#include "tests/support/conv_cases.h"
#include "tests/support/conv_policy.h"
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

// Calls f(index in x, index in w, index in y) for every product of the formula.
template <class F>
void for_products(const ConvCase& c, F&& f) {
  const Shape y = conv2d_output_shape(c.x, c.w, c.options);
  const auto& o = c.options;
  const int64_t per_group = c.w[0] / o.groups;
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t out = 0; out < y[1]; ++out) {
      for (int64_t i = 0; i < y[2]; ++i) {
        for (int64_t j = 0; j < y[3]; ++j) {
          for (int64_t in = 0; in < c.w[1]; ++in) {
            for (int64_t u = 0; u < c.w[2]; ++u) {
              for (int64_t v = 0; v < c.w[3]; ++v) {
                const int64_t row = i * o.stride - o.padding + u * o.dilation;
                const int64_t column = j * o.stride - o.padding + v * o.dilation;
                if (row < 0 || row >= c.x[2] || column < 0 || column >= c.x[3]) continue;
                const int64_t channel = out / per_group * c.w[1] + in;
                f(((n * c.x[1] + channel) * c.x[2] + row) * c.x[3] + column,
                  ((out * c.w[1] + in) * c.w[2] + u) * c.w[3] + v,
                  ((n * y[1] + out) * y[2] + i) * y[3] + j);
              }
            }
          }
        }
      }
    }
  }
}

struct Expected {
  Tensor x, w, bias, dy;  // inputs
  Tensor y, dx, dw, db;   // expected outputs
};

Expected expected(const ConvCase& c) {
  const Shape out = conv2d_output_shape(c.x, c.w, c.options);
  Expected e{.x = hashed_tensor("x", c.x),
             .w = hashed_tensor("w", c.w),
             .bias = hashed_tensor("b", {c.w[0]}),
             .dy = hashed_tensor("dy", out),
             .y = zeros(out, DType::f64),
             .dx = zeros(c.x, DType::f64),
             .dw = zeros(c.w, DType::f64),
             .db = zeros({c.w[0]}, DType::f64)};
  const double *x = e.x.data<double>(), *w = e.w.data<double>(), *dy = e.dy.data<double>();
  double *y = e.y.data<double>(), *dx = e.dx.data<double>(), *dw = e.dw.data<double>();
  for_products(c, [&](int64_t ix, int64_t iw, int64_t iy) {
    y[iy] += x[ix] * w[iw];
    dx[ix] += dy[iy] * w[iw];
    dw[iw] += dy[iy] * x[ix];
  });
  const int64_t pixels = out[2] * out[3];
  for (int64_t i = 0; i < out.elements(); ++i) {
    const int64_t channel = i / pixels % out[1];
    y[i] += e.bias.data<double>()[channel];
    e.db.data<double>()[channel] += dy[i];
  }
  return e;
}

// All three directions in one type, with activations in the layout of the network or plain.
void expect_equal(const ConvCase& c, const Expected& e, DType dtype, bool plain, double tolerance) {
  CpuContext& ctx = cpu_context();
  const auto activation = [&](const Tensor& t) {
    const Layout layout = plain ? Layout::plain : activation_layout(kCpu, dtype, t.shape()[1]);
    return to_layout(to_dtype(t, dtype), layout);
  };
  const Tensor x = activation(e.x), dy = activation(e.dy);
  const Tensor w = to_dtype(e.w, dtype), bias = to_dtype(e.bias, dtype);
  Tensor y = empty_like(dy), dx = empty_like(x), dw = empty_like(w), db = empty_like(bias), none;
  conv2d_forward(ctx, x, w, bias, c.options, y);
  conv2d_backward_data(ctx, dy, w, c.options, dx);
  conv2d_backward_weights(ctx, x, dy, c.options, dw, db);
  EXPECT_LE(distance(y, e.y), tolerance) << "y of x " << x << ", w " << w;
  EXPECT_LE(distance(dx, e.dx), tolerance) << "dx of x " << x << ", w " << w;
  Tensor sum = clone(x);
  conv2d_backward_data(ctx, dy, w, c.options, sum, true);
  Tensor expected_sum = empty_like(e.x);
  add(ctx, e.x, e.dx, expected_sum);
  EXPECT_LE(distance(sum, expected_sum), tolerance) << "x + dx of x " << x << ", w " << w;
  EXPECT_LE(distance(dw, e.dw), tolerance) << "dw of x " << x << ", w " << w;
  EXPECT_LE(distance(db, e.db), tolerance) << "db of x " << x << ", w " << w;
  conv2d_backward_weights(ctx, x, dy, c.options, dw, none);
  EXPECT_LE(distance(dw, e.dw), tolerance) << "dw without bias of x " << x << ", w " << w;
}

TEST(Conv2d, EqualsTheFormula) {
  for (const ConvCase& c : conv_cases()) {
    const Expected e = expected(c);
    for (const bool plain : {false, true}) {
      expect_equal(c, e, DType::f64, plain, 1e-14);
      const test_support::WithConvPolicy chosen(ConvPolicy::reference);
      expect_equal(c, e, DType::f32, plain, 1e-6);
    }
  }
}

// The engine's own kernels run for the shapes that they take, the library for the rest.
TEST(Conv2d, EqualsTheFormulaUnderEveryPolicy) {
  for (const ConvCase& c : conv_cases()) {
    const Expected e = expected(c);
    for (const ConvPolicy policy :
         {ConvPolicy::automatic, ConvPolicy::direct, ConvPolicy::winograd, ConvPolicy::library}) {
      const test_support::WithConvPolicy chosen(policy);
      const bool coarse = policy == ConvPolicy::automatic || policy == ConvPolicy::winograd;
      for (const bool plain : {false, true}) {
        expect_equal(c, e, DType::f32, plain, coarse ? 5e-6 : 1e-6);
      }
    }
  }
}

TEST(Conv2d, ReferenceKernelsGiveTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  for (const ConvCase& c : conv_cases()) {
    std::vector<std::vector<double>> runs;
    for (const int count : {1, 2, 3}) {
      omp_set_num_threads(count);
      const Tensor x = hashed_tensor("x", c.x), w = hashed_tensor("w", c.w);
      const Tensor dy = hashed_tensor("dy", conv2d_output_shape(c.x, c.w, c.options)), none;
      Tensor y = empty_like(dy), dx = empty_like(x), dw = empty_like(w);
      Tensor db({c.w[0]}, DType::f64);
      conv2d_forward(cpu_context(), x, w, none, c.options, y);
      conv2d_backward_data(cpu_context(), dy, w, c.options, dx);
      conv2d_backward_weights(cpu_context(), x, dy, c.options, dw, db);
      runs.push_back(to_values(y));
      for (const Tensor& t : {dx, dw, db}) {
        const std::vector<double> values = to_values(t);
        runs.back().insert(runs.back().end(), values.begin(), values.end());
      }
    }
    EXPECT_EQ(runs[0], runs[1]);
    EXPECT_EQ(runs[0], runs[2]);
  }
  omp_set_num_threads(threads);
}

// The reference kernels unfold as many images at once as fit a patch matrix: here two, then one.
TEST(Conv2d, ReferenceKernelsTakeMoreImagesThanOnePatchMatrixHolds) {
  CpuContext& ctx = cpu_context();
  const Conv2dOptions options{.padding = 1};
  const Tensor x = hashed_tensor("x", {3, 8, 150, 150}), w = hashed_tensor("w", {4, 8, 3, 3});
  const Tensor dy = hashed_tensor("dy", {3, 4, 150, 150}), none;
  Tensor y = empty_like(dy), dx = empty_like(x), dw = empty_like(w), no_bias;
  conv2d_forward(ctx, x, w, none, options, y);
  conv2d_backward_data(ctx, dy, w, options, dx);
  conv2d_backward_weights(ctx, x, dy, options, dw, no_bias);
  Tensor sum = zeros(w.shape(), DType::f64);
  for (int64_t n = 0; n < 3; ++n) {
    Tensor y1({1, 4, 150, 150}, DType::f64), dx1({1, 8, 150, 150}, DType::f64), dw1 = empty_like(w);
    conv2d_forward(ctx, x.rows(n, 1), w, none, options, y1);
    conv2d_backward_data(ctx, dy.rows(n, 1), w, options, dx1);
    conv2d_backward_weights(ctx, x.rows(n, 1), dy.rows(n, 1), options, dw1, no_bias);
    EXPECT_EQ(to_values(y1), to_values(y.rows(n, 1))) << n;
    EXPECT_EQ(to_values(dx1), to_values(dx.rows(n, 1))) << n;
    for (int64_t i = 0; i < sum.elements(); ++i) sum.data<double>()[i] += dw1.data<double>()[i];
  }
  EXPECT_LE(distance(dw, sum), 1e-13);
}

TEST(Conv2d, AnEmptyBatchGivesZeroGradients) {
  for (const ConvPolicy policy : {ConvPolicy::automatic, ConvPolicy::reference}) {
    const test_support::WithConvPolicy chosen(policy);
    const Tensor x({0, 16, 5, 5}), w({32, 16, 3, 3}), dy({0, 32, 3, 3}), none;
    Tensor y = empty_like(dy), dx = empty_like(x), dw = full(w.shape(), 7.0), db = full({32}, 7.0);
    conv2d_forward(cpu_context(), x, w, none, {}, y);
    conv2d_backward_data(cpu_context(), dy, w, {}, dx);
    conv2d_backward_weights(cpu_context(), x, dy, {}, dw, db);
    EXPECT_EQ(test_support::norm(dw) + test_support::norm(db), 0.0);
  }
}

TEST(Conv2d, SteadyStateNeitherReordersNorAllocates) {
  CpuContext& ctx = cpu_context();
  const Layout layout = activation_layout(kCpu, DType::f32, 32);
  const Tensor x = to_layout(full({2, 32, 8, 8}, 0.5), layout);
  Tensor w = full({32, 32, 3, 3}, 0.1);
  const auto step = [&] {
    Tensor y = empty_like(x), dx = empty_like(x), dw = empty_like(w), none;
    w.data<float>();  // a new version, as after an update
    conv2d_forward(ctx, x, w, none, {.padding = 1}, y);
    conv2d_backward_data(ctx, y, w, {.padding = 1}, dx);
    conv2d_backward_weights(ctx, x, y, {.padding = 1}, dw, none);
  };
  step();
  const int64_t reorders = ctx.counters.reorders;
  [[maybe_unused]] const int64_t asked = allocator_of(kCpu).stats().system_allocations;
  step();
  EXPECT_EQ(ctx.counters.reorders, reorders);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(allocator_of(kCpu).stats().system_allocations, asked);
#endif
}

TEST(Conv2d, CountsTheReordersOfAForeignLayout) {
  CpuContext& ctx = cpu_context();
  const Tensor x = full({1, 32, 4, 4}, 1.0), w = full({32, 32, 1, 1}, 1.0), none;
  Tensor y = empty_like(x);
  const int64_t before = ctx.counters.reorders;
  conv2d_forward(ctx, x, w, none, {}, y);
  EXPECT_EQ(ctx.counters.reorders, before + 2);  // x in, y out
}

// From blocked to plain channels: the tensors are reordered, because the library's reference loops
// would be a hundred times slower. The second time, no memory is requested from the system.
TEST(Conv2d, ReordersIfTheLibraryHasNoFastKernel) {
#ifndef __x86_64__
  GTEST_SKIP() << "which layouts are fast is known for x86-64 only";
#endif
  CpuContext& ctx = cpu_context();
  const Tensor x = to_layout(full({2, 64, 8, 8}, 0.5), activation_layout(kCpu, DType::f32, 64));
  const Tensor w = full({10, 64, 1, 1}, 0.1), none;
  Tensor y({2, 10, 8, 8});
  const int64_t before = ctx.counters.reorders;
  conv2d_forward(ctx, x, w, none, {}, y);
  EXPECT_GT(ctx.counters.reorders, before);
  [[maybe_unused]] const int64_t asked = allocator_of(kCpu).stats().system_allocations;
  conv2d_forward(ctx, x, w, none, {}, y);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(allocator_of(kCpu).stats().system_allocations, asked);
#endif
}

std::string message_of(const Shape& x, const Shape& w, const Conv2dOptions& options) {
  return error_of([&] { conv2d_output_shape(x, w, options); });
}

TEST(Conv2d, ErrorsNameBothShapes) {
  EXPECT_EQ(message_of({1, 4, 8, 8}, {64, 3, 7, 7}, {}),
            "conv2d: weight [64,3,7,7] with groups=1 expects C=3, input [1,4,8,8] has C=4");
  EXPECT_NE(message_of({1, 4, 8, 8}, {5, 2, 3, 3}, {.groups = 2}).find("does not split"),
            std::string::npos);
  EXPECT_NE(message_of({1, 3, 2, 2}, {5, 3, 3, 3}, {}).find("does not fit"), std::string::npos);
  EXPECT_NE(message_of({1, 3, 8, 8}, {5, 3, 3, 3}, {.stride = 0}).find("stride"),
            std::string::npos);
  EXPECT_NE(message_of({3, 8, 8}, {5, 3, 3, 3}, {}).find("[N,C,H,W]"), std::string::npos);
  EXPECT_EQ(message_of({1, 0, 8, 8}, {5, 0, 3, 3}, {}), "conv2d: weight [5,0,3,3] has no elements");
}

TEST(Conv2d, ErrorsNameTheTensorThatDoesNotFit) {
  const Tensor x = full({1, 3, 4, 4}, 1.0), w = full({5, 3, 1, 1}, 1.0), none;
  Tensor y({1, 5, 4, 4}), wrong({1, 5, 4, 3});
  const auto forward = [&](const Tensor& bias, Tensor& out) {
    return error_of([&] { conv2d_forward(cpu_context(), x, w, bias, {}, out); });
  };
  EXPECT_EQ(forward(none, wrong), "conv2d: expected the output [1,5,4,4], found [1,5,4,3]");
  EXPECT_EQ(forward(full({4}, 1.0), y), "conv2d: expected a bias f32 [5], found f32 [4] plain cpu");
  EXPECT_EQ(forward(full({5}, 1.0, DType::f64), y),
            "conv2d: expected a bias f32 [5], found f64 [5] plain cpu");
}

// The engine takes strides beyond 32 bits. oneDNN 3.7 computes with them; older ones refuse them.
TEST(Conv2d, AnErrorOfTheLibraryNamesTheConvolution) {
  constexpr int64_t kFar = int64_t{1} << 31;
  const Tensor x = full({1, 16, 3, 3}, 1.0), w = full({16, 16, 1, 1}, 1.0), none;
  Tensor y = empty_like(x);
  const std::string message = error_of(
      [&] { conv2d_forward(cpu_context(), x, w, none, {.stride = kFar, .padding = kFar}, y); });
  if (message == "no error") {
    Tensor expected = zeros({1, 16, 3, 3}, DType::f64);
    for (int64_t c = 0; c < 16; ++c) expected.data<double>()[9 * c + 4] = 16.0;  // sees x[0, 0]
    EXPECT_EQ(distance(y, expected), 0.0);
    return;
  }
  EXPECT_NE(message.find("oneDNN: convolution forward of [1,16,3,3] and [16,16,1,1] failed"),
            std::string::npos)
      << message;
}

}  // namespace
}  // namespace engine
