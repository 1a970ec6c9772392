#include "engine/profile.h"

#include <gtest/gtest.h>

#include "engine/kernels/matmul.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

TEST(Profile, CountsCallsTimeAndWorkOfAKernel) {
  CpuContext& ctx = cpu_context();
  Profile profile;
  const Tensor a = zeros({4, 8}), b = zeros({8, 2});
  Tensor c({4, 2});
  matmul(ctx, a, b, {}, c);  // before the profile: not counted
  ctx.profile = &profile;
  for (int i = 0; i < 3; ++i) matmul(ctx, a, b, {}, c);
  ctx.profile = nullptr;
  matmul(ctx, a, b, {}, c);

  ASSERT_EQ(profile.kernels.size(), 1U);
  const KernelTotal& total = profile.kernels.at("matmul");
  EXPECT_EQ(total.calls, 3);
  EXPECT_GT(total.seconds, 0.0);
  EXPECT_EQ(total.flops, 3.0 * 2 * 4 * 8 * 2);
  EXPECT_EQ(total.bytes, 3.0 * 4 * (32 + 16 + 8));
}

TEST(Profile, UndefinedTensorsHaveNoBytes) {
  EXPECT_EQ(bytes_of(zeros({3}), Tensor(), zeros({2}, DType::f64)), 12.0 + 16.0);
}

}  // namespace
}  // namespace engine
