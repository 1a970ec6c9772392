// Emulated device memory: forbidden accesses, wrong copies and wrong frees are caught.
#include <cmath>

#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

using MemoryTest = EmulationTest;
using MemoryDeathTest = EmulationTest;

TEST_F(MemoryTest, BeginsAsNaN) {
  for (const float value : DeviceFloats(100).values()) EXPECT_TRUE(std::isnan(value));
}

#ifndef __SANITIZE_ADDRESS__
TEST_F(MemoryDeathTest, HostCodeMayNotTouchIt) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const DeviceFloats x(10);
  EXPECT_DEATH(x.data()[3] = 1.0f, "host code touched device memory");
  EXPECT_DEATH(std::printf("%f", x.data()[3]), "host code touched device memory");
}

TEST_F(MemoryTest, WritesBeyondTheEndAreReported) {
  const DeviceFloats x(50);
  ASSERT_EQ(launch_write_up_to(nullptr, x.data(), 49), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(launch_write_up_to(nullptr, x.data(), 50), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  const std::string finding = only_finding();
  EXPECT_NE(finding.find("a kernel of type void (*)(float*, int) wrote up to 4 bytes beyond"),
            std::string::npos)
      << finding;
}

TEST_F(MemoryTest, WritesAfterFreeAreReported) {
  const Stream stream;
  float* x = nullptr;
  ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&x), 256), cudaSuccess);
  ASSERT_EQ(cudaFree(x), cudaSuccess);
  ASSERT_EQ(launch_write_up_to(stream, x, 0), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_NE(only_finding().find("freed device block"), std::string::npos);
}
#else
TEST_F(MemoryDeathTest, AddressSanitizerSeesTheBounds) {
  const DeviceFloats x(50);
  EXPECT_DEATH(
      {
        launch_write_up_to(nullptr, x.data(), 50);
        cudaDeviceSynchronize();
      },
      "AddressSanitizer");
}
#endif

TEST_F(MemoryTest, ReadsAfterFreeGiveNaN) {
  const Stream stream;
  const DeviceFloats y(64);
  float* x = nullptr;
  ASSERT_EQ(cudaMallocAsync(reinterpret_cast<void**>(&x), 256, stream), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(x, 0, 256, stream), cudaSuccess);
  ASSERT_EQ(launch_double(stream, 1, x, y.data()), cudaSuccess);
  ASSERT_EQ(cudaFreeAsync(x, stream), cudaSuccess);
  EXPECT_EQ(y.values()[0], 0.0f);
#ifndef __SANITIZE_ADDRESS__
  ASSERT_EQ(launch_double(stream, 1, x, y.data()), cudaSuccess);
  EXPECT_TRUE(std::isnan(y.values()[0]));
#endif
}

TEST_F(MemoryTest, OfAStreamExistsOnceTheStreamReachesIt) {
  SKIP_RACE();
  const Stream owner, hasty;
  float *x = nullptr, found = 0.0f;
  ASSERT_EQ(cudaMallocAsync(reinterpret_cast<void**>(&x), sizeof *x, owner), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(x, 0, sizeof *x, hasty), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(hasty), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(owner), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(&found, x, sizeof *x, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_TRUE(std::isnan(found));
  EXPECT_EQ(cudaFree(x), cudaSuccess);
}

TEST_F(MemoryTest, CopiesSayTheirDirection) {
  const DeviceFloats x(10);
  float host[10] = {};
  EXPECT_EQ(cudaMemcpy(x.data(), host, 40, cudaMemcpyDeviceToHost),
            cudaErrorInvalidMemcpyDirection);
  EXPECT_NE(only_finding().find("direction"), std::string::npos);
  EXPECT_EQ(cudaMemcpy(x.data(), host, 40, cudaMemcpyDefault), cudaSuccess);
}

TEST_F(MemoryTest, CopiesAndFillsStayWithinABlock) {
  const DeviceFloats x(10);
  float host[11] = {};
  EXPECT_NE(cudaMemcpy(x.data(), host, 44, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_NE(only_finding().find("are not within one device block"), std::string::npos);
  EXPECT_NE(cudaMemset(x.data() + 9, 0, 8), cudaSuccess);
  EXPECT_NE(only_finding().find("are not within one device block"), std::string::npos);
}

TEST_F(MemoryTest, FreesOnlyWhatItGave) {
  const DeviceFloats x(10);
  float host = 0.0f;
  EXPECT_EQ(cudaFree(x.data() + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(&host), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(&host), cudaErrorInvalidValue);
}

TEST_F(MemoryTest, AnErrorStaysUntilItIsTaken) {
  const DeviceFloats x(10);
  float host[11] = {};
  EXPECT_NE(cudaMemcpy(x.data(), host, 44, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(launch_write_up_to(nullptr, x.data(), 0), cudaErrorIllegalAddress);
  EXPECT_EQ(take_findings().size(), 1u);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(MemoryTest, ADeviceHasAnEnd) {
  void* block = nullptr;
  EXPECT_EQ(cudaMalloc(&block, size_t{1} << 50), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  limit_device_memory(1000);
  EXPECT_EQ(cudaMalloc(&block, 1001), cudaErrorMemoryAllocation);
  size_t free = 0, total = 0;
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(total, 1000u);
  limit_device_memory(kDeviceBytes);
}

}  // namespace
}  // namespace cuda_emulation
