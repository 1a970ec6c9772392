// Every call of CUDA's runtime and of cuBLAS may fail. Each failure is the right error, leaks
// nothing, and the next attempt succeeds.
#include <gtest/gtest.h>

#include <thread>

#include "engine/kernels/matmul.h"
#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"
#include "engine/transfers.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::kCuda;

// 2 x^T x: an upload, a library call, a kernel and a readback.
std::vector<double> small_job(Device device) {
  const Tensor x = to_dtype(test_support::hashed_tensor("x", {5, 3}), DType::f32);
  const auto upload = make_upload(device);
  const auto readback = make_readback(device);
  const Tensor there = upload->send({x})[0];
  Tensor product = zeros({3, 3}, DType::f32, device);
  on_device(device, [&](auto& ctx) {
    matmul(ctx, there, there, {.transpose_a = true}, product);
    add(ctx, product, product, product);
  });
  readback->start({product});
  return to_values(readback->finish()[0]);
}

struct Outcome {
  bool failed;  // the call that was to fail has been made
  std::string error;
  std::vector<double> values, second_values;
};

// Runs on a new thread, which has its own contexts, so that their handles are created and freed
// too.
Outcome run_with_failure(const std::string& function, int64_t nth) {
  Outcome outcome{};
  std::thread([&] {
    cuda_emulation::fail_call(function, nth);
    try {
      outcome.values = small_job(kCuda);
    } catch (const Error& error) {
      outcome.error = error.what();
    }
    outcome.failed = cuda_emulation::failure_happened();
    cuda_emulation::fail_no_call();
    outcome.second_values = small_job(kCuda);
  }).join();
  return outcome;
}

// Calls f(outcome) for every call of the function that the job makes.
template <class F>
void for_every_call(const std::string& function, F&& f) {
  const std::vector<double> right = small_job(kCuda);
  const std::vector<std::string> before = cuda_emulation::live_objects();
  int64_t nth = 0;
  for (bool failed = true; failed;) {
    const Outcome outcome = run_with_failure(function, ++nth);
    failed = outcome.failed;
    if (failed) f(outcome);
    EXPECT_EQ(outcome.second_values, right) << function << ", call " << nth;
    ASSERT_EQ(cuda_emulation::live_objects(), before) << function << ", call " << nth;
  }
  EXPECT_GT(nth, 1) << function << " was never called";
}

TEST(CudaFailures, TheJobIsRight) {
  const std::vector<double> found = small_job(kCuda), expected = small_job(kCpu);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5);
}

TEST(CudaFailures, AFailingCallIsAnError) {
  struct {
    const char* function;
    const char* error;  // how it begins
  } const cases[] = {
      {"cudaGetDeviceCount", "CUDA: cudaErrorNoDevice"},
      {"cudaSetDevice", "CUDA: cudaErrorInvalidDevice"},
      {"cudaDeviceGetAttribute", "CUDA: cudaErrorInvalidDevice"},
      {"cudaHostAlloc", "CUDA: cudaErrorMemoryAllocation"},
      {"cudaMemcpyAsync", "CUDA: cudaErrorInvalidValue"},
      {"cudaLaunchKernelExC", "CUDA: cudaErrorLaunchOutOfResources"},
      {"cudaStreamCreateWithFlags", "CUDA: cudaErrorMemoryAllocation"},
      {"cudaStreamWaitEvent", "CUDA: cudaErrorInvalidValue"},
      {"cudaEventCreateWithFlags", "CUDA: cudaErrorMemoryAllocation"},
      {"cudaEventRecord", "CUDA: cudaErrorInvalidValue"},
      {"cudaEventSynchronize", "CUDA: cudaErrorLaunchFailure"},
      {"cublasCreate", "cuBLAS: CUBLAS_STATUS_NOT_INITIALIZED"},
      {"cublasSetStream", "cuBLAS: CUBLAS_STATUS_NOT_INITIALIZED"},
      {"cublasSetMathMode", "cuBLAS: CUBLAS_STATUS_NOT_INITIALIZED"},
      {"cublasSetWorkspace", "cuBLAS: CUBLAS_STATUS_NOT_INITIALIZED"},
      {"cublasGemmStridedBatchedEx", "cuBLAS: CUBLAS_STATUS_EXECUTION_FAILED"},
  };
  for (const auto& c : cases) {
    int64_t errors = 0;
    for_every_call(c.function, [&](const Outcome& outcome) {
      if (outcome.error.empty()) {  // the call was in a destructor, after the job
        EXPECT_EQ(outcome.values, outcome.second_values) << c.function;
      } else {
        EXPECT_TRUE(outcome.error.starts_with(c.error)) << c.function << ": " << outcome.error;
        ++errors;
      }
    });
    EXPECT_GT(errors, 0) << c.function;
  }
}

// Destructors cannot throw, so the failure is not reported. The object is freed all the same.
TEST(CudaFailures, AFailureToFreeLeaksNothing) {
  for (const char* function : {"cudaFreeHost", "cudaStreamDestroy", "cudaEventDestroy"}) {
    for_every_call(function, [&](const Outcome& outcome) {
      EXPECT_EQ(outcome.error, "") << function;
      EXPECT_EQ(outcome.values, outcome.second_values) << function;
    });
  }
}

TEST(CudaFailures, OutOfMemorySaysWhatIsHeld) {
  if (!test_support::cuda_cache_is_off()) GTEST_SKIP() << "needs PIXPRO_CUDA_CACHE=off";
  const auto asks = [](const Outcome& outcome) {
    // The allocator tries again, and there is no error if that succeeds.
    if (outcome.error.empty()) return;
    EXPECT_TRUE(outcome.error.starts_with("out of memory on cuda:0: asked for")) << outcome.error;
  };
  for_every_call("cudaMallocAsync", asks);
}

}  // namespace
}  // namespace engine
