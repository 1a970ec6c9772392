// The update of all parameters: followers, skipped steps, threads. tests/layers/sgd_test.cpp
// compares what a step computes with reference numbers.
#include "engine/kernels/optimizer_update.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "engine/tensor_ops.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::hashed_tensor;

// Some have one chunk, some many; together, and one of them alone, they exceed a group. Every third
// has no follower, every fourth has no gradient.
std::vector<ParameterUpdate> updates(DType dtype) {
  std::vector<ParameterUpdate> all;
  for (const int64_t size : {3, 100000, 50001, 7, 1, 16385, 1500000, 60000, 40, 250001, 13}) {
    const auto number = static_cast<int64_t>(all.size());
    const auto tensor = [&](const char* what) {
      return hashed_tensor(what + std::to_string(number), {1, size}, 1.0, 0.0, 0, dtype);
    };
    all.push_back({.parameter = tensor("p"), .momentum = tensor("m"), .decay = number % 2 == 0});
    if (number % 4 != 3) all.back().gradient = tensor("g");
    if (number % 3 != 2) all.back().follower = tensor("f");
  }
  return all;
}

SgdOptions options(double trust) {
  return {.learning_rate = 0.1, .weight_decay = 1e-2, .trust = trust, .follow = 0.97};
}

Tensor flag(double value) { return full({1}, value); }

void run(std::vector<ParameterUpdate>& all, const SgdOptions& how) {
  sgd_update(cpu_context(), all, how);
}

std::vector<std::vector<double>> values_of(const std::vector<ParameterUpdate>& all) {
  std::vector<std::vector<double>> values;
  for (const ParameterUpdate& u : all) {
    values.push_back(to_values(u.parameter));
    values.push_back(to_values(u.momentum));
    if (u.follower.defined()) values.push_back(to_values(u.follower));
  }
  return values;
}

class OptimizerUpdate : public testing::TestWithParam<DType> {};

TEST_P(OptimizerUpdate, AFollowerIsAMovingAverageOfTheNewParameter) {
  std::vector<ParameterUpdate> all = updates(GetParam());
  const std::vector<ParameterUpdate> before = updates(GetParam());
  run(all, options(1e-3));
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].follower.defined()) continue;
    const std::vector<double> from = to_values(before[i].follower), to = to_values(all[i].follower);
    const std::vector<double> parameter = to_values(all[i].parameter);
    for (size_t j = 0; j < to.size(); ++j) {
      // In f32 a value near 1 is rounded by up to 6e-8, and without fused multiply-add so is a
      // product.
      ASSERT_NEAR(to[j], 0.97 * from[j] + 0.03 * parameter[j],
                  GetParam() == DType::f64 ? 1e-15 : 2e-7);
    }
  }
}

TEST_P(OptimizerUpdate, OnePassGivesTheBitsOfUpdateAndThenAverage) {
  for (const double trust : {0.0, 1e-3}) {
    for (const Tensor& skip : {Tensor(), flag(0.0), flag(1.0)}) {
      std::vector<ParameterUpdate> once = updates(GetParam()), learn = updates(GetParam()), follow;
      SgdOptions how = options(trust);
      how.skip = skip;
      run(once, how);
      for (ParameterUpdate& u : learn) {
        follow.push_back({.parameter = u.parameter, .follower = u.follower});
        u.follower = Tensor();
      }
      run(learn, how);
      run(follow, how);
      for (size_t i = 0; i < learn.size(); ++i) learn[i].follower = follow[i].follower;
      EXPECT_TRUE(values_of(once) == values_of(learn)) << trust;
    }
  }
}

TEST_P(OptimizerUpdate, ASkippedStepChangesFollowersOnly) {
  std::vector<ParameterUpdate> all = updates(GetParam());
  const std::vector<ParameterUpdate> before = updates(GetParam());
  SgdOptions how = options(1e-3);
  how.skip = flag(1.0);
  run(all, how);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(to_values(all[i].parameter), to_values(before[i].parameter)) << i;
    EXPECT_EQ(to_values(all[i].momentum), to_values(before[i].momentum)) << i;
    if (!all[i].follower.defined()) continue;
    EXPECT_NE(to_values(all[i].follower), to_values(before[i].follower)) << i;
  }
}

TEST_P(OptimizerUpdate, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<std::vector<std::vector<double>>> runs;
  for (const int count : {1, 2, 3}) {
    omp_set_num_threads(count);
    std::vector<ParameterUpdate> all = updates(GetParam());
    run(all, options(1e-3));
    runs.push_back(values_of(all));
  }
  omp_set_num_threads(threads);
  EXPECT_TRUE(runs[0] == runs[1]);
  EXPECT_TRUE(runs[0] == runs[2]);
}

INSTANTIATE_TEST_SUITE_P(Types, OptimizerUpdate, testing::Values(DType::f32, DType::f64));

TEST(OptimizerUpdateErrors, RefusesTensorsThatDoNotFitTheirParameter) {
  const auto refuses = [](ParameterUpdate u) {
    std::vector<ParameterUpdate> all = {{.parameter = zeros({2}), .follower = zeros({2})}, u};
    EXPECT_THROW(run(all, options(0.0)), Error);
    EXPECT_EQ(to_values(all[0].follower), std::vector<double>(2, 0.0));
  };
  const Tensor good = zeros({3}), bad = zeros({4});
  refuses({.parameter = good, .gradient = bad, .momentum = good});
  refuses({.parameter = good, .gradient = good, .momentum = bad});
  refuses({.parameter = good, .follower = bad});
  refuses({.parameter = zeros({3}, DType::f64), .follower = zeros({3}, DType::f64)});
}

}  // namespace
}  // namespace engine
