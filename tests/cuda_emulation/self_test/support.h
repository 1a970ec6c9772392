// Shared by the tests of the emulation.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/cuda_emulation/control.h"

namespace cuda_emulation {

// Device memory for the length of a test.
class DeviceFloats {
 public:
  explicit DeviceFloats(size_t count) : count_(count) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(float)), cudaSuccess);
  }
  explicit DeviceFloats(const std::vector<float>& values) : DeviceFloats(values.size()) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~DeviceFloats() { cudaFree(data_); }
  DeviceFloats(const DeviceFloats&) = delete;
  DeviceFloats& operator=(const DeviceFloats&) = delete;

  float* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(float); }

  // The values once the device has finished all its work.
  std::vector<float> values() const {
    std::vector<float> values(count_);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  size_t count_;
  float* data_ = nullptr;
};

// A stream for the length of a test.
class Stream {
 public:
  Stream() { EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// For tests whose planted bug is a race: ThreadSanitizer would stop them, which race_test.cpp
// tests.
#ifdef __SANITIZE_THREAD__
#define SKIP_RACE() GTEST_SKIP() << "a race"
#else
#define SKIP_RACE() static_cast<void>(0)
#endif

inline std::vector<float> counted(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  return values;
}

// Restores the options after every test and leaves no finding behind.
class EmulationTest : public testing::Test {
 protected:
  EmulationTest() : before_(options()) {}
  ~EmulationTest() override {
    options() = before_;
    fail_no_call();
    take_findings();
  }

  // The only finding about the code under test.
  static std::string only_finding() {
    const std::vector<std::string> findings = take_findings();
    EXPECT_EQ(findings.size(), 1u);
    return findings.empty() ? "" : findings[0];
  }

 private:
  Options before_;
};

}  // namespace cuda_emulation
