// What the kernels promise beyond the results of the ops (tests/autograd/cuda/ops_test.cpp).
#include <gtest/gtest.h>

#include <cmath>

#include "engine/kernels/copy_if.h"
#include "engine/kernels/norm.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/pool.h"
#include "engine/tensor_ops.h"
#include "tests/support/cuda.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;
using test_support::kCuda;

Tensor on_cuda(const Tensor& t) { return to_device(to_dtype(t, DType::f32), kCuda); }

TEST(CudaTensor, KeepsItsElementsWhereverItIsCopied) {
  SKIP_WITHOUT_CUDA();
  const Tensor x = hashed_tensor("x", {3, 5, 7, 2});
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor there = to_device(to_dtype(x, dtype), kCuda);
    const Tensor turned = to_layout(there, Layout::nhwc);
    EXPECT_EQ(to_values(turned), to_values(to_dtype(x, dtype)));
    EXPECT_EQ(to_values(clone(turned)), to_values(turned));
    EXPECT_EQ(to_values(to_dtype(turned, DType::f64)), to_values(turned));
    Tensor back({3, 5, 7, 2}, DType::f64);
    copy_into(turned, back);
    EXPECT_EQ(to_values(back), to_values(turned));
  }
  EXPECT_EQ(to_values(full({300}, 7.0, DType::i64, kCuda)), std::vector<double>(300, 7.0));
  const Tensor rows = concatenate_rows({on_cuda(x).rows(1, 2), on_cuda(x).rows(0, 1)});
  EXPECT_EQ(to_values(rows.rows(2, 1)), to_values(on_cuda(x).rows(0, 1)));
}

TEST(CudaTensor, MayBeEmpty) {
  SKIP_WITHOUT_CUDA();
  const Tensor none = zeros({0, 3}, DType::f32, kCuda);
  EXPECT_TRUE(to_values(none).empty());
}

// More tensors than one launch takes, one of them longer than a block's chunk.
TEST(CudaCopyIf, CopiesAllTensorsOrNone) {
  SKIP_WITHOUT_CUDA();
  std::vector<Tensor> from, to;
  for (int64_t i = 0; i < 200; ++i) {
    const Shape shape{i == 100 ? 40000 : i};
    from.push_back(full(shape, static_cast<double>(i + 1), DType::f32, kCuda));
    to.push_back(zeros(shape, DType::f32, kCuda));
  }
  const auto expect_copied = [&](bool copied) {
    for (size_t i = 0; i < to.size(); ++i) {
      const double value = copied ? static_cast<double>(i + 1) : 0.0;
      const auto elements = static_cast<size_t>(to[i].elements());
      EXPECT_EQ(to_values(to[i]), std::vector<double>(elements, value)) << i;
    }
  };
  const Tensor no = zeros({1}, DType::f32, kCuda), yes = full({1}, 1.0, DType::f32, kCuda);
  on_device(kCuda, [&](auto& ctx) { copy_if(ctx, no, from, to); });
  expect_copied(false);
  on_device(kCuda, [&](auto& ctx) { copy_if(ctx, yes, from, to); });
  expect_copied(true);
}

TEST(CudaPointwise, KeepsNotANumberAndWorksInPlace) {
  SKIP_WITHOUT_CUDA();
  Tensor x = on_cuda(from_values<double>({3}, {-1.0, std::nan(""), 2.0}));
  on_device(kCuda, [&](auto& ctx) {
    relu_forward(ctx, x, x);
    add(ctx, x, x, x);
  });
  const std::vector<double> values = to_values(x);
  EXPECT_EQ(values[0], 0.0);
  EXPECT_TRUE(std::isnan(values[1]));
  EXPECT_EQ(values[2], 4.0);
}

TEST(CudaMaxPool, ANotANumberWinsAndTheFirstOfEqualsTakesTheGradient) {
  SKIP_WITHOUT_CUDA();
  const double nan = std::nan("");
  const Tensor x = on_cuda(from_values<double>({1, 1, 2, 4}, {3, 3, 1, nan, 3, 3, 5, 2}));
  Tensor y({1, 1, 1, 2}, DType::f32, kCuda), winner({1, 1, 1, 2}, DType::u8, kCuda);
  on_device(kCuda, [&](auto& ctx) { max_pool2d_forward(ctx, x, {}, y, winner); });
  EXPECT_EQ(to_values(y)[0], 3.0);
  EXPECT_TRUE(std::isnan(to_values(y)[1]));
  EXPECT_EQ(to_values(winner), (std::vector<double>{0.0, 1.0}));
}

TEST(CudaBatchNorm, AVarianceBesideALargeMeanKeepsItsDigits) {
  SKIP_WITHOUT_CUDA();
  const Tensor x = to_dtype(hashed_tensor("x", {2, 40, 32, 32}, 1.0, 1e4), DType::f32);
  Tensor expected({2, 2, 40}, DType::f64), found({2, 2, 40}, DType::f64, kCuda);
  batch_norm_statistics(cpu_context(), to_dtype(x, DType::f64), expected);
  on_device(kCuda, [&](auto& ctx) {
    batch_norm_statistics(ctx, to_layout(to_device(x, kCuda), Layout::nhwc), found);
  });
  EXPECT_LE(distance(found, expected), 1e-12);
  const std::vector<double> a = to_values(expected), b = to_values(found);
  for (size_t c = 40; c < 80; ++c) EXPECT_NEAR(b[c] / a[c], 1.0, 1e-9);
}

TEST(CudaBatchNorm, RunningEstimatesMoveAsOnTheCpu) {
  SKIP_WITHOUT_CUDA();
  const Tensor statistics = hashed_tensor("statistics", {3, 2, 50}, 0.5, 1.0);
  Tensor mean = zeros({50}), var = full({50}, 1.0);
  Tensor device_mean = to_device(mean, kCuda), device_var = to_device(var, kCuda);
  const RunningUpdate update{.momentum = 0.1, .count = 5};
  batch_norm_update_running(cpu_context(), statistics, update, mean, var);
  on_device(kCuda, [&](auto& ctx) {
    batch_norm_update_running(ctx, to_device(statistics, kCuda), update, device_mean, device_var);
  });
  EXPECT_LE(distance(device_mean, mean), 1e-7);
  EXPECT_LE(distance(device_var, var), 1e-7);
}

TEST(CudaBatchNorm, StatisticsOfRanksMergeAsOnTheCpu) {
  SKIP_WITHOUT_CUDA();
  constexpr int64_t kValues = 2 * 2 * 70;  // two parts
  const Tensor messages = hashed_tensor("messages", {3, kValues + 1}, 0.5, 1.0);
  for (int64_t rank = 0; rank < 3; ++rank) {
    Tensor count = messages.rows(rank, 1).reshape({kValues + 1}).rows(kValues, 1);
    *count.data<double>() = static_cast<double>(10 + rank);
  }
  Tensor merged({2, 2, 70}, DType::f64), count({1}, DType::f64);
  batch_norm_merge(cpu_context(), messages, merged, count);
  Tensor found({2, 2, 70}, DType::f64, kCuda), found_count({1}, DType::f64, kCuda);
  on_device(kCuda, [&](auto& ctx) {
    batch_norm_merge(ctx, to_device(messages, kCuda), found, found_count);
  });
  EXPECT_LE(distance(found, merged), 1e-15);
  EXPECT_EQ(item(found_count), 33.0);
}

TEST(CudaL2Normalize, AVectorOfLengthZeroIsDividedByTheLeastLength) {
  SKIP_WITHOUT_CUDA();
  const Tensor x = zeros({1, 4}, DType::f32, kCuda), dy = full({1, 4}, 3.0, DType::f32, kCuda);
  Tensor y = empty_like(x), dx = empty_like(x), norms({1, 1}, DType::f32, kCuda);
  on_device(kCuda, [&](auto& ctx) {
    l2_normalize_forward(ctx, x, y, norms);
    l2_normalize_backward(ctx, dy, y, norms, dx);
  });
  EXPECT_EQ(test_support::norm(y), 0.0);
  for (const double gradient : to_values(dx)) EXPECT_NEAR(gradient, 3e12, 1e6);
}

// Sizes that need several chunks per tensor, and more tensors than one launch takes.
std::vector<Shape> parameter_shapes() {
  std::vector<Shape> shapes = {{40000}, {1}, {3, 16384}, {16385}};
  for (int64_t i = 0; i < 100; ++i) shapes.push_back({1 + i % 7, 5});
  return shapes;
}

// Every third has no follower, every fourth has no gradient.
std::vector<ParameterUpdate> updates(Device device) {
  std::vector<ParameterUpdate> all;
  for (const Shape& shape : parameter_shapes()) {
    const size_t number = all.size();
    const auto tensor = [&](const char* what) {
      const std::string name = what + std::to_string(number);
      return to_device(to_dtype(hashed_tensor(name, shape), DType::f32), device);
    };
    all.push_back({.parameter = tensor("p"), .momentum = tensor("m"), .decay = shape.axes() > 1});
    if (number % 4 != 3) all.back().gradient = tensor("g");
    if (number % 3 != 2) all.back().follower = tensor("f");
  }
  return all;
}

void run(std::vector<ParameterUpdate>& all, const SgdOptions& options) {
  on_device(all[0].parameter.device(), [&](auto& ctx) { sgd_update(ctx, all, options); });
}

SgdOptions sgd_options(double trust) {
  return {.learning_rate = 0.5, .weight_decay = 1e-2, .trust = trust, .follow = 0.97};
}

TEST(CudaOptimizerUpdate, UpdatesAsTheCpuDoes) {
  SKIP_WITHOUT_CUDA();
  for (const double trust : {0.0, 0.001}) {
    std::vector<ParameterUpdate> expected = updates(kCpu), found = updates(kCuda);
    found[5].gradient = zeros_like(found[5].gradient);  // a norm of 0 gives no trust ratio
    expected[5].gradient = zeros_like(expected[5].gradient);
    run(expected, sgd_options(trust));
    run(found, sgd_options(trust));
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_LE(distance(found[i].parameter, expected[i].parameter), 1e-6) << i << ' ' << trust;
      EXPECT_LE(distance(found[i].momentum, expected[i].momentum), 1e-6) << i << ' ' << trust;
      if (!found[i].follower.defined()) continue;
      EXPECT_LE(distance(found[i].follower, expected[i].follower), 1e-6) << i << ' ' << trust;
    }
  }
}

TEST(CudaOptimizerUpdate, OnePassGivesTheBitsOfUpdateAndThenAverage) {
  SKIP_WITHOUT_CUDA();
  for (const bool skipped : {false, true}) {
    SgdOptions options = sgd_options(0.001);
    options.skip = full({1}, skipped ? 1.0 : 0.0, DType::f32, kCuda);
    const std::vector<ParameterUpdate> before = updates(kCuda);
    std::vector<ParameterUpdate> once = updates(kCuda), learn = updates(kCuda), follow;
    run(once, options);
    for (ParameterUpdate& u : learn) {
      follow.push_back({.parameter = u.parameter, .follower = u.follower});
      u.follower = Tensor();
    }
    run(learn, options);
    run(follow, options);
    for (size_t i = 0; i < once.size(); ++i) {
      EXPECT_EQ(to_values(once[i].parameter), to_values(learn[i].parameter)) << i;
      EXPECT_EQ(to_values(once[i].momentum), to_values(learn[i].momentum)) << i;
      const bool stays = skipped || !once[i].gradient.defined();
      EXPECT_EQ(to_values(once[i].parameter) == to_values(before[i].parameter), stays) << i;
      if (!once[i].follower.defined()) continue;
      EXPECT_EQ(to_values(once[i].follower), to_values(follow[i].follower)) << i;
      EXPECT_NE(to_values(once[i].follower), to_values(before[i].follower)) << i;
    }
  }
}

}  // namespace
}  // namespace engine
