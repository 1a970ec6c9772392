// Emulated kernels: right ones give the right result in every order of threads; planted bugs are
// caught.
#include <algorithm>
#include <cmath>

#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

constexpr Order kOrders[] = {Order::forward, Order::reverse, Order::random};

using KernelTest = EmulationTest;

TEST_F(KernelTest, RightKernelsGiveTheSameInEveryOrder) {
  for (const Order order : kOrders) {
    options().order = order;
    const Stream stream;
    const DeviceFloats x(counted(640)), y(640), sums(10);
    ASSERT_EQ(launch_double(stream, 10, x.data(), y.data()), cudaSuccess);
    ASSERT_EQ(launch_block_sums(stream, 10, x.data(), sums.data()), cudaSuccess);
    const std::vector<float> doubled = y.values(), added = sums.values();
    for (size_t i = 0; i < 640; ++i) EXPECT_EQ(doubled[i], 2.0f * static_cast<float>(i));
    for (size_t b = 0; b < 10; ++b) EXPECT_EQ(added[b], static_cast<float>(64 * 64 * b + 2016));
    EXPECT_TRUE(take_findings().empty());
  }
}

TEST_F(KernelTest, DynamicSharedMemory) {
  const Stream stream;
  const DeviceFloats x(counted(64)), y(64);
  ASSERT_EQ(launch_reverse(stream, x.data(), y.data()), cudaSuccess);
  std::vector<float> expected = counted(64);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(y.values(), expected);
}

// The number of orders, of three, in which the kernel's result is not the right one.
template <class Launch>
int wrong_orders(Launch launch, const std::vector<float>& right) {
  int wrong = 0;
  for (const Order order : kOrders) {
    options().order = order;
    const Stream stream;
    const DeviceFloats y(right.size());
    EXPECT_EQ(launch(stream, y.data()), cudaSuccess);
    if (y.values() != right) ++wrong;
  }
  return wrong;
}

TEST_F(KernelTest, MissingBarriersShowInTheResult) {
  SKIP_RACE();
  std::vector<float> reversed = counted(64), swapped(64);
  std::reverse(reversed.begin(), reversed.end());
  for (size_t i = 0; i < 64; ++i) swapped[i] = static_cast<float>(i ^ 1);
  EXPECT_EQ(wrong_orders(launch_missing_barrier, reversed), 3);
  EXPECT_EQ(wrong_orders(launch_missing_warp_barrier, swapped), 3);
  // Right if thread 0 happens to run first, so one order alone would not show the bug.
  EXPECT_EQ(wrong_orders(launch_missing_broadcast_barrier, std::vector<float>(64, 7.0f)), 2);
}

TEST_F(KernelTest, ThreadsThatWaitAtDifferentBarriers) {
  const DeviceFloats y(64);
  ASSERT_EQ(launch_divergent_barrier(nullptr, y.data()), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_NE(only_finding().find("__syncthreads of one block at lines"), std::string::npos);
}

TEST_F(KernelTest, ThreadsThatWaitForEachOther) {
  SKIP_RACE();
  const DeviceFloats y(64);
  ASSERT_EQ(launch_stuck(nullptr, y.data()), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_NE(only_finding().find("wait for each other forever"), std::string::npos);
}

TEST_F(KernelTest, SharedMemoryBeginsAsNaN) {
  const DeviceFloats y(64);
  ASSERT_EQ(launch_uninitialised(nullptr, y.data()), cudaSuccess);
  const std::vector<float> values = y.values();
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(std::isnan(values[i]), i >= 32) << i;
}

}  // namespace
}  // namespace cuda_emulation
