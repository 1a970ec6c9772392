// Batch normalisation in every layout against the formula in float64.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "engine/kernels/norm.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

constexpr Layout kLayouts[] = {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16};

struct Case {
  Shape shape;
  int64_t parts;
  bool relu, residual;
};
const std::vector<Case> kCases = {
    {{4, 16, 5, 3}, 1, false, false}, {{4, 32, 5, 3}, 2, true, false},
    {{6, 16, 1, 1}, 3, true, true},   {{2, 7, 4, 9}, 2, false, true},
    {{3, 40, 2, 2}, 1, true, true},
};

// The expected results of a forward and backward pass, channel by channel.
struct Expected {
  Tensor x, weight, bias, residual, dy;
  Tensor y, statistics, dx, dresidual, dweight, dbias;
};

Expected expected(const Case& c) {
  const int64_t channels = c.shape[1], pixels = c.shape[2] * c.shape[3];
  Expected e{.x = hashed_tensor("x", c.shape, 1.0, 0.3),
             .weight = hashed_tensor("weight", {channels}, 0.5, 1.0),
             .bias = hashed_tensor("bias", {channels}),
             .residual = c.residual ? hashed_tensor("residual", c.shape) : Tensor(),
             .dy = hashed_tensor("dy", c.shape),
             .y = zeros(c.shape, DType::f64),
             .statistics = zeros({c.parts, 2, channels}, DType::f64),
             .dx = zeros(c.shape, DType::f64),
             .dresidual = c.residual ? zeros(c.shape, DType::f64) : Tensor(),
             .dweight = zeros({channels}, DType::f64),
             .dbias = zeros({channels}, DType::f64)};
  const double *x = e.x.data<double>(), *dy = e.dy.data<double>();
  const int64_t per_part = c.shape[0] / c.parts;
  const double count = static_cast<double>(per_part * pixels);
  for (int64_t part = 0; part < c.parts; ++part) {
    for (int64_t ch = 0; ch < channels; ++ch) {
      std::vector<size_t> places;
      for (int64_t n = part * per_part; n < (part + 1) * per_part; ++n) {
        for (int64_t p = 0; p < pixels; ++p) {
          places.push_back(static_cast<size_t>((n * channels + ch) * pixels + p));
        }
      }
      double mean = 0.0, variance = 0.0, dz_sum = 0.0, dz_x_sum = 0.0;
      for (const size_t i : places) mean += x[i] / count;
      for (const size_t i : places) variance += (x[i] - mean) * (x[i] - mean) / count;
      e.statistics.data<double>()[part * 2 * channels + ch] = mean;
      e.statistics.data<double>()[(part * 2 + 1) * channels + ch] = variance;
      const double weight = e.weight.data<double>()[ch], rstd = 1.0 / std::sqrt(variance + 1e-5);
      const auto dz = [&](size_t i) {
        return c.relu && e.y.data<double>()[i] <= 0.0 ? 0.0 : dy[i];
      };
      for (const size_t i : places) {
        double z = (x[i] - mean) * rstd * weight + e.bias.data<double>()[ch];
        if (c.residual) z += e.residual.data<double>()[i];
        e.y.data<double>()[i] = c.relu ? std::max(z, 0.0) : z;
        dz_sum += dz(i);
        dz_x_sum += dz(i) * (x[i] - mean) * rstd;
      }
      for (const size_t i : places) {
        e.dx.data<double>()[i] =
            weight * rstd * (dz(i) - dz_sum / count - (x[i] - mean) * rstd * dz_x_sum / count);
        if (c.residual) e.dresidual.data<double>()[i] = dz(i);
      }
      e.dbias.data<double>()[ch] += dz_sum;
      e.dweight.data<double>()[ch] += dz_x_sum;
    }
  }
  return e;
}

struct Found {
  Tensor y, statistics, dx, dresidual, dweight, dbias;
};

Found run(const Case& c, const Expected& e, DType dtype, Layout layout) {
  CpuContext& ctx = cpu_context();
  const auto as = [&](const Tensor& t) {
    return t.defined() ? to_layout(to_dtype(t, dtype), layout) : t;
  };
  const BatchNormOptions options{.relu = c.relu};
  const Tensor x = as(e.x), dy = as(e.dy), residual = as(e.residual);
  const Tensor weight = to_dtype(e.weight, dtype), bias = to_dtype(e.bias, dtype);
  Found f{.y = empty_like(x),
          .statistics = empty_like(e.statistics),
          .dx = empty_like(x),
          .dresidual = c.residual ? empty_like(x) : Tensor(),
          .dweight = empty_like(weight),
          .dbias = empty_like(weight)};
  batch_norm_forward(ctx, x, weight, bias, residual, options, f.statistics, f.y);
  Tensor sums = empty_like(f.statistics);
  // The backward can tell where relu passed the gradient from y, or by recomputing y from x.
  const Tensor y = c.residual ? f.y : Tensor();
  const BatchNormInputs inputs{dy, x, y, f.statistics, weight, bias, options};
  const int64_t count = x.elements() / c.shape[1] / c.parts;
  batch_norm_backward(ctx, inputs, count, sums, f.dx, f.dresidual);
  batch_norm_parameter_gradients(ctx, sums, f.dweight, f.dbias);
  return f;
}

TEST(BatchNorm, EqualsTheFormulaInEveryLayout) {
  for (const Case& c : kCases) {
    const Expected e = expected(c);
    for (const Layout layout : kLayouts) {
      const int64_t block = layout == Layout::blocked8 ? 8 : layout == Layout::blocked16 ? 16 : 1;
      if (c.shape[1] % block != 0) continue;
      for (const DType dtype : {DType::f64, DType::f32}) {
        const Found f = run(c, e, dtype, layout);
        const double tolerance = dtype == DType::f64 ? 1e-12 : 1e-5;
        EXPECT_LE(distance(f.statistics, e.statistics), tolerance) << c.shape << layout << dtype;
        EXPECT_LE(distance(f.y, e.y), tolerance) << c.shape << layout << dtype;
        EXPECT_LE(distance(f.dx, e.dx), tolerance) << c.shape << layout << dtype;
        EXPECT_LE(distance(f.dweight, e.dweight), tolerance) << c.shape << layout << dtype;
        EXPECT_LE(distance(f.dbias, e.dbias), tolerance) << c.shape << layout << dtype;
        if (c.residual) {
          EXPECT_LE(distance(f.dresidual, e.dresidual), tolerance) << c.shape << layout << dtype;
        }
      }
    }
  }
}

TEST(BatchNorm, GradientsMayBeWrittenOverWhatTheyAreMadeOf) {
  for (const Case& c : kCases) {
    const Expected e = expected(c);
    const Found f = run(c, e, DType::f32, Layout::plain);
    Tensor x = to_dtype(e.x, DType::f32), dy = to_dtype(e.dy, DType::f32), none;
    const Tensor weight = to_dtype(e.weight, DType::f32), bias = to_dtype(e.bias, DType::f32);
    Tensor sums = empty_like(f.statistics), &dx = c.residual ? x : dy;
    const Tensor y = c.residual ? f.y : Tensor();
    const int64_t count = x.elements() / c.shape[1] / c.parts;
    const BatchNormInputs inputs{dy, x, y, f.statistics, weight, bias, {.relu = c.relu}};
    batch_norm_backward(cpu_context(), inputs, count, sums, dx, c.residual ? dy : none);
    EXPECT_EQ(to_values(dx), to_values(f.dx)) << c.shape;
    if (c.residual) {
      EXPECT_EQ(to_values(dy), to_values(f.dresidual)) << c.shape;
    }
  }
}

TEST(BatchNorm, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  const Case c{{6, 64, 21, 21}, 2, true, true};  // enough work for three threads
  const Expected e = expected(c);
  std::vector<std::vector<double>> runs;
  for (const int count : {1, 2, 3}) {
    omp_set_num_threads(count);
    const Found f = run(c, e, DType::f32, Layout::blocked16);
    runs.emplace_back();
    for (const Tensor& t : {f.statistics, f.y, f.dx, f.dweight, f.dbias}) {
      const std::vector<double> values = to_values(t);
      runs.back().insert(runs.back().end(), values.begin(), values.end());
    }
  }
  omp_set_num_threads(threads);
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0], runs[2]);
}

// At this mean f32 resolves 1e-3 only, so sums must be formed of differences from a nearby value.
TEST(BatchNorm, AVarianceBesideALargeMeanKeepsItsDigits) {
  for (const Layout layout : kLayouts) {
    const Tensor x = to_dtype(hashed_tensor("x", {2, 16, 32, 31}, 1.0, 1e4), DType::f32);
    Tensor exact({2, 2, 16}, DType::f64), found = empty_like(exact);
    batch_norm_statistics(cpu_context(), to_dtype(x, DType::f64), exact);
    batch_norm_statistics(cpu_context(), to_layout(x, layout), found);
    const std::vector<double> a = to_values(exact), b = to_values(found);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i] / a[i], 1.0, 1e-6) << layout;
  }
}

TEST(BatchNorm, RunningEstimatesMoveOncePerPartWithTheUnbiasedVariance) {
  const Tensor statistics = from_values<double>({2, 2, 1}, {1.0, 4.0, 3.0, 8.0});
  Tensor mean = zeros({1}), var = full({1}, 1.0);
  batch_norm_update_running(cpu_context(), statistics, {.momentum = 0.1, .count = 5}, mean, var);
  EXPECT_NEAR(item(mean), 0.9 * (0.1 * 1.0) + 0.1 * 3.0, 1e-6);
  EXPECT_NEAR(item(var), 0.9 * (0.9 + 0.1 * 4.0 * 1.25) + 0.1 * 8.0 * 1.25, 1e-6);
}

// What ranks that share a batch call.
TEST(BatchNorm, TheHalvesOfTheBackwardGiveTheBitsOfTheWhole) {
  for (const Case& c : kCases) {
    const Expected e = expected(c);
    const Found f = run(c, e, DType::f32, Layout::plain);
    const Tensor x = to_dtype(e.x, DType::f32), dy = to_dtype(e.dy, DType::f32);
    const Tensor weight = to_dtype(e.weight, DType::f32), bias = to_dtype(e.bias, DType::f32);
    const Tensor y = c.residual ? f.y : Tensor();
    const BatchNormInputs inputs{dy, x, y, f.statistics, weight, bias, {.relu = c.relu}};
    Tensor sums = empty_like(f.statistics), dx = empty_like(x), dweight = empty_like(weight);
    Tensor dresidual = c.residual ? empty_like(x) : Tensor(), dbias = empty_like(weight);
    batch_norm_backward_sums(cpu_context(), inputs, sums);
    batch_norm_parameter_gradients(cpu_context(), sums, dweight, dbias);
    // The count as a number or as a tensor.
    const int64_t count = x.elements() / c.shape[1] / c.parts;
    for (const BatchNormCount& values :
         {BatchNormCount(count), BatchNormCount(full({1}, count, DType::f64))}) {
      batch_norm_backward_apply(cpu_context(), inputs, values, sums, dx, dresidual);
      EXPECT_EQ(to_values(dx), to_values(f.dx)) << c.shape;
      if (c.residual) {
        EXPECT_EQ(to_values(dresidual), to_values(f.dresidual)) << c.shape;
      }
    }
    EXPECT_EQ(to_values(dweight), to_values(f.dweight)) << c.shape;
    EXPECT_EQ(to_values(dbias), to_values(f.dbias)) << c.shape;
  }
}

TEST(BatchNorm, StatisticsOfUnequalSharesMergeToThoseOfTheBatch) {
  const Tensor x = hashed_tensor("x", {9, 3, 2, 2}, 1.0, 100.0);
  Tensor whole({1, 2, 3}, DType::f64), messages({3, 7}, DType::f64);
  batch_norm_statistics(cpu_context(), x, whole);
  const int64_t begin[] = {0, 1, 4, 9};
  for (int64_t rank = 0; rank < 3; ++rank) {
    const int64_t images = begin[rank + 1] - begin[rank];
    Tensor message = messages.rows(rank, 1).reshape({7});
    Tensor own = message.rows(0, 6).reshape({1, 2, 3});
    batch_norm_statistics(cpu_context(), x.rows(begin[rank], images), own);
    message.data<double>()[6] = static_cast<double>(4 * images);
  }
  Tensor merged = empty_like(whole), count({1}, DType::f64);
  batch_norm_merge(cpu_context(), messages, merged, count);
  EXPECT_EQ(item(count), 36.0);
  EXPECT_LE(distance(merged, whole), 1e-14);
}

TEST(BatchNorm, RefusesABatchThatDoesNotSplitIntoParts) {
  Tensor statistics({2, 2, 4}, DType::f64);
  EXPECT_THROW(batch_norm_statistics(cpu_context(), full({3, 4, 2, 2}, 1.0), statistics), Error);
  Tensor wrong({1, 2, 5}, DType::f64);
  EXPECT_THROW(batch_norm_statistics(cpu_context(), full({2, 4, 2, 2}, 1.0), wrong), Error);
}

TEST(L2Normalize, EqualsTheFormulaInEveryLayout) {
  const Tensor x = hashed_tensor("x", {2, 16, 9, 11}), dy = hashed_tensor("dy", {2, 16, 9, 11});
  Tensor y = empty_like(x), dx = empty_like(x);
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t p = 0; p < 99; ++p) {
      const auto at = [&](int64_t c) { return (n * 16 + c) * 99 + p; };
      double squares = 0.0, dot = 0.0;
      for (int64_t c = 0; c < 16; ++c) squares += std::pow(x.data<double>()[at(c)], 2);
      const double norm = std::sqrt(squares);
      for (int64_t c = 0; c < 16; ++c) y.data<double>()[at(c)] = x.data<double>()[at(c)] / norm;
      for (int64_t c = 0; c < 16; ++c) dot += y.data<double>()[at(c)] * dy.data<double>()[at(c)];
      for (int64_t c = 0; c < 16; ++c) {
        dx.data<double>()[at(c)] =
            (dy.data<double>()[at(c)] - y.data<double>()[at(c)] * dot) / norm;
      }
    }
  }
  for (const Layout layout : kLayouts) {
    for (const DType dtype : {DType::f64, DType::f32}) {
      const Tensor in = to_layout(to_dtype(x, dtype), layout);
      const Tensor grad = to_layout(to_dtype(dy, dtype), layout);
      Tensor out = empty_like(in), back = empty_like(in), norms({2, 99}, dtype);
      l2_normalize_forward(cpu_context(), in, out, norms);
      l2_normalize_backward(cpu_context(), grad, out, norms, back);
      const double tolerance = dtype == DType::f64 ? 1e-14 : 1e-6;
      EXPECT_LE(distance(out, y), tolerance) << layout << dtype;
      EXPECT_LE(distance(back, dx), tolerance) << layout << dtype;
    }
  }
}

TEST(L2Normalize, AVectorOfLengthZeroIsDividedByTheLeastLength) {
  const Tensor x = zeros({1, 4}, DType::f64), dy = full({1, 4}, 3.0, DType::f64);
  Tensor y = empty_like(x), dx = empty_like(x), norms({1, 1}, DType::f64);
  l2_normalize_forward(cpu_context(), x, y, norms);
  l2_normalize_backward(cpu_context(), dy, y, norms, dx);
  EXPECT_EQ(test_support::norm(y), 0.0);
  for (const double gradient : to_values(dx)) EXPECT_DOUBLE_EQ(gradient, 3e12);
}

}  // namespace
}  // namespace engine
