// The cost of finishing views on the device: launches, waits, allocations.
#include "pixpro/data/batches/device_views.h"

#include <gtest/gtest.h>

#include "pixpro/data/batches/raw_view.h"
#include "tests/cuda_emulation/control.h"
#include "tests/emulated/waits.h"
#include "tests/support/cuda.h"

namespace pixpro {
namespace {

using cuda_emulation::call_count;
using engine::Tensor;
using test_support::kCuda;
using test_support::waits_and_allocations;

TEST(CudaViews, TakeThreeLaunchesPerBatchAndNeitherWaitNorAllocate) {
  SKIP_WITHOUT_CUDA();
  constexpr int kSize = 16, kViews = 10;
  const std::vector<Step> steps = {{Op::contrast, 0.7}, {Op::hue, 0.1}, {Op::gaussian_blur, 1.0}};
  Tensor raw({kViews, raw_view_bytes(kSize)}, engine::DType::u8);
  for (int i = 0; i < kViews; ++i) {
    uint8_t* row = raw.data<uint8_t>() + i * raw_view_bytes(kSize);
    write_raw_view(row, kSize, {20 + i, 20}, false, steps);
    std::fill_n(raw_pixels(row, kSize), 3 * (20 + i) * 20, uint8_t{100});
  }
  DeviceViews device_views(kCuda, engine::DType::bf16, kSize);
  for (int batch = 0; batch < 2; ++batch)
    device_views.finish(raw);  // allocates the buffers of both slots
  const int64_t before = waits_and_allocations(), launches = call_count("cudaLaunchKernelExC");
  const int64_t events = call_count("cudaEventSynchronize");
  device_views.finish(raw);
  EXPECT_EQ(call_count("cudaLaunchKernelExC") - launches, 3);
  EXPECT_EQ(waits_and_allocations(), before);
  EXPECT_EQ(call_count("cudaEventSynchronize") - events,
            1);  // for the slot of the upload before the last
}

}  // namespace
}  // namespace pixpro
