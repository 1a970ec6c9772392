// How convolutions use cuDNN, seen from the emulation: what is kept and what is timed, and that
// every failing call ends in an error and leaks nothing.
#include <gtest/gtest.h>

#include <thread>

#include "engine/cuda/cudnn/cudnn.h"
#include "engine/kernels/conv.h"
#include "engine/tensor_ops.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using cuda_emulation::call_count;
using test_support::distance;
using test_support::hashed_tensor;
using test_support::kCuda;

struct Conv {
  Tensor x, w, dy;
  Conv2dOptions options{.padding = 1};

  explicit Conv(Device device) {
    const auto values = [&](const char* name, const Shape& shape) {
      const Tensor t = to_dtype(hashed_tensor(name, shape), DType::f32);
      return to_layout(to_device(t, device), device == kCpu ? Layout::plain : Layout::nhwc);
    };
    x = values("x", {2, 8, 5, 6});
    w = values("w", {4, 8, 3, 3});
    dy = values("dy", {2, 4, 5, 6});
  }

  // All three directions: y, dx, dw.
  std::vector<Tensor> run() const {
    Tensor y = empty_like(dy), dx = empty_like(x), dw = empty_like(w), none;
    on_device(x.device(), [&](auto& ctx) {
      conv2d_forward(ctx, x, w, Tensor(), options, y);
      conv2d_backward_data(ctx, dy, w, options, dx);
      conv2d_backward_weights(ctx, x, dy, options, dw, none);
    });
    return {y, dx, dw};
  }
};

void expect_right(const std::vector<Tensor>& found) {
  const std::vector<Tensor> expected = Conv(kCpu).run();
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_LE(distance(found[i], expected[i]), 1e-6);
}

// Each thread has its own contexts, and with them its own cuDNN handle and plans.
template <class F>
void in_new_thread(F&& f) {
  std::thread(std::forward<F>(f)).join();
}

TEST(ConvLibrary, PlansOncePerShape) {
  in_new_thread([] {
    const Conv conv(kCuda);
    conv.run();
    const int64_t finalized = call_count("cudnnBackendFinalize");
    const int64_t handles = call_count("cudnnCreate");
    expect_right(conv.run());
    EXPECT_EQ(call_count("cudnnBackendFinalize"), finalized + 3);  // the arguments of each call
    EXPECT_EQ(call_count("cudnnCreate"), handles);
  });
}

TEST(ConvLibrary, TimesItsCandidatesOnRequest) {
  in_new_thread([] {
    const Conv conv(kCuda);
    set_cuda(0, {.benchmark = true});
    const int64_t before = call_count("cudnnBackendExecute");
    expect_right(conv.run());
    const int64_t first = call_count("cudnnBackendExecute") - before;
    EXPECT_GE(first, 3 * (4 + 1 + 1));  // at least two candidates, the better one four times
    EXPECT_LE(first, 3 * (4 * static_cast<int64_t>(Cudnn::kTimedPlans) + 1));
    expect_right(conv.run());
    EXPECT_EQ(call_count("cudnnBackendExecute") - before, first + 3);
  });
}

TEST(ConvLibrary, DeterministicRunsTimeNothing) {
  in_new_thread([] {
    const Conv conv(kCuda);
    set_cuda(0, {.deterministic = true, .benchmark = true});
    const int64_t before = call_count("cudnnBackendExecute");
    expect_right(conv.run());
    EXPECT_EQ(call_count("cudnnBackendExecute"), before + 3);
  });
}

// While it lives, the device has this many bytes besides those that tensors hold.
class RoomLeft {
 public:
  explicit RoomLeft(int64_t bytes) {
    check(cudaDeviceSynchronize());  // memory that was given back is free now
    const int64_t held = allocator_of(kCuda).stats().current_bytes;
    cuda_emulation::limit_device_memory(static_cast<size_t>(held + bytes));
  }
  ~RoomLeft() { cuda_emulation::limit_device_memory(cuda_emulation::kDeviceBytes); }
  RoomLeft(const RoomLeft&) = delete;
  RoomLeft& operator=(const RoomLeft&) = delete;
};

// Computes the gradient of x with 2 KiB to spare; cuDNN's first plan wants a workspace of 4 KiB.
void run_in_little_room(const CudaSettings& settings) {
  const Conv conv(kCuda);
  set_cuda(0, settings);
  Tensor dx = empty_like(conv.x);
  const auto run = [&] {
    on_device(kCuda,
              [&](auto& ctx) { conv2d_backward_data(ctx, conv.dy, conv.w, conv.options, dx); });
  };
  const RoomLeft room(2048);
  const int64_t before = call_count("cudaMemGetInfo");  // called for the message of an error
  run();
  EXPECT_LE(distance(dx, Conv(kCpu).run()[1]), 1e-6);
  const int64_t failures = call_count("cudaMemGetInfo");
  EXPECT_GT(failures, before) << "every workspace fits";
  run();
  EXPECT_EQ(call_count("cudaMemGetInfo"), failures) << "the plan that does not fit was kept";
}

TEST(ConvLibrary, TakesAPlanWithASmallerWorkspaceIfOneDoesNotFit) {
  in_new_thread([] { run_in_little_room({}); });
  in_new_thread([] { run_in_little_room({.benchmark = true}); });
  in_new_thread([] { EXPECT_THROW(run_in_little_room({.deterministic = true}), Error); });
}

TEST(ConvLibrary, EveryFailingCallIsAnErrorAndLeaksNothing) {
  for (const char* function :
       {"cudnnCreate", "cudnnSetStream", "cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute",
        "cudnnBackendGetAttribute", "cudnnBackendFinalize", "cudnnBackendExecute"}) {
    const Conv conv(kCuda);
    const std::vector<std::string> before = cuda_emulation::live_objects();
    int64_t failures = 0;
    for (bool failed = true; failed; ++failures) {
      in_new_thread([&] {
        std::string error;
        cuda_emulation::fail_call(function, failures + 1);
        try {
          conv.run();
        } catch (const Error& e) {
          error = e.what();
        }
        failed = cuda_emulation::failure_happened();
        cuda_emulation::fail_no_call();
        EXPECT_EQ(error.starts_with("cuDNN: CUDNN_STATUS_"), failed) << function << ": " << error;
        expect_right(conv.run());
      });
      ASSERT_EQ(cuda_emulation::live_objects(), before) << function << ", call " << failures + 1;
    }
    EXPECT_GT(failures, 1) << function << " was never called";
  }
}

TEST(ConvLibrary, TheErrorSaysWhereAndWhy) {
  in_new_thread([] {
    const Conv conv(kCuda);
    cuda_emulation::fail_call("cudnnBackendExecute", 1);
    const std::string message = test_support::error_of([&] { conv.run(); });
    EXPECT_TRUE(
        message.starts_with("cuDNN: CUDNN_STATUS_EXECUTION_FAILED (engine/cuda/cudnn/cudnn.cpp:"))
        << message;
    cuda_emulation::fail_no_call();
  });
}

}  // namespace
}  // namespace engine
