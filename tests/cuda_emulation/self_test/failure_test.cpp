// Calls that are made to fail, and the list of live objects.
#include <algorithm>
#include <cstdlib>

#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

using FailureTest = EmulationTest;

TEST_F(FailureTest, TheNthCallOfAFunctionFails) {
  void* blocks[3] = {};
  fail_call("cudaMalloc", 2);
  EXPECT_EQ(cudaMalloc(&blocks[0], 8), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_FALSE(failure_happened());
  EXPECT_EQ(cudaMalloc(&blocks[1], 8), cudaErrorMemoryAllocation);
  EXPECT_TRUE(failure_happened());
  EXPECT_EQ(cudaMalloc(&blocks[2], 8), cudaSuccess);
  cudaFree(blocks[0]);
  cudaFree(blocks[2]);
}

TEST_F(FailureTest, TheNthCallOfAnyFunctionFails) {
  const DeviceFloats x(64);
  fail_call("", 2);
  EXPECT_EQ(launch_count(nullptr, 1, x.data()), cudaSuccess);
  EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(FailureTest, AFailingFreeFreesAllTheSame) {
  const std::vector<std::string> before = live_objects();
  void* block = nullptr;
  ASSERT_EQ(cudaMalloc(&block, 8), cudaSuccess);
  fail_call("cudaFree", 1);
  EXPECT_NE(cudaFree(block), cudaSuccess);
  EXPECT_EQ(live_objects(), before);
}

TEST_F(FailureTest, LiveObjectsAreListed) {
  const std::vector<std::string> before = live_objects();
  {
    const Stream stream;
    const DeviceFloats x(3);
    std::vector<std::string> more = before;
    more.insert(more.end(), {"a stream", "device memory of 12 bytes"});
    std::sort(more.begin(), more.end());
    EXPECT_EQ(live_objects(), more);
  }
  EXPECT_EQ(live_objects(), before);
}

TEST_F(FailureTest, AProgramMayNotEndWithFindings) {
  EXPECT_EXIT(
      {
        const float host = 0.0f;
        cudaMemset(const_cast<float*>(&host), 0, 4);
        std::exit(EXIT_SUCCESS);
      },
      testing::ExitedWithCode(EXIT_FAILURE), "cuda emulation: 1 errors found");
}

TEST_F(FailureTest, AProgramMayNotEndWithLeaksIfTheEnvironmentSaysSo) {
  EXPECT_EXIT(
      {
        setenv("CUDA_EMULATION_LEAKS", "fail", 1);
        void* block = nullptr;
        cudaMalloc(&block, 12);
        std::exit(EXIT_SUCCESS);
      },
      testing::ExitedWithCode(EXIT_FAILURE), "never freed: device memory of 12 bytes");
}

TEST_F(FailureTest, CallsAreCounted) {
  const int64_t all = call_count(), some = call_count("cudaDeviceSynchronize");
  cudaDeviceSynchronize();
  EXPECT_EQ(call_count("cudaDeviceSynchronize"), some + 1);
  EXPECT_EQ(call_count(), all + 1);
}

}  // namespace
}  // namespace cuda_emulation
