// A running training step, and the making of its views, neither wait for the device nor allocate
// memory from its runtime. The emulation counts the calls.
#include <gtest/gtest.h>

#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/train/trainer.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using cuda_emulation::call_count;
using engine::DType;
using engine::Tensor;
using test_support::kCuda;

// How often the host has waited for the emulated device or allocated memory from its runtime.
// Without the caching allocator, tensors are allocated in stream order; that is not counted.
int64_t waits_and_allocations() {
  int64_t count = 0;
  for (const char* name : {"cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost",
                           "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaMemcpy"}) {
    count += call_count(name);
  }
  return count;
}

TEST(CudaStep, NeitherWaitsForTheDeviceNorAllocates) {
  Trainer trainer(test_support::small_training(DType::f16, kCuda));
  const test_support::Batch batch = test_support::training_batch(2, 33);
  for (int step = 0; step < 2; ++step) trainer.step({batch.views, batch.boxes});  // plans, buffers
  const int64_t before = waits_and_allocations(), events = call_count("cudaEventSynchronize");
  trainer.start_step({batch.views, batch.boxes});
  trainer.start_step({batch.views, batch.boxes});
  // Two per step, for the pinned memory of the step before the last: batch and numbers.
  EXPECT_EQ(call_count("cudaEventSynchronize") - events, 4);
  trainer.finish_step();
  trainer.finish_step();
  EXPECT_EQ(waits_and_allocations(), before);
}

TEST(CudaViews, TakeThreeLaunchesPerBatchAndNeitherWaitNorAllocate) {
  constexpr int kSize = 16, kViews = 10;
  const std::vector<Step> steps = {{Op::contrast, 0.7}, {Op::hue, 0.1}, {Op::gaussian_blur, 1.0}};
  Tensor raw({kViews, raw_view_bytes(kSize)}, DType::u8);
  for (int i = 0; i < kViews; ++i) {
    uint8_t* row = raw.data<uint8_t>() + i * raw_view_bytes(kSize);
    write_raw_view(row, kSize, {20 + i, 20}, false, steps);
    std::fill_n(raw_pixels(row, kSize), 3 * (20 + i) * 20, uint8_t{100});
  }
  DeviceViews device_views(kCuda, DType::bf16, kSize);
  for (int batch = 0; batch < 2; ++batch) device_views.finish(raw);  // allocates both slots
  const int64_t before = waits_and_allocations(), launches = call_count("cudaLaunchKernelExC");
  const int64_t events = call_count("cudaEventSynchronize");
  device_views.finish(raw);
  EXPECT_EQ(call_count("cudaLaunchKernelExC") - launches, 3);
  EXPECT_EQ(waits_and_allocations(), before);
  // For the slot of the upload before the last.
  EXPECT_EQ(call_count("cudaEventSynchronize") - events, 1);
}

}  // namespace
}  // namespace pixpro
