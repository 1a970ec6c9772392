// The CUDA allocator counts what tensors hold, gives its cache back, and its errors say what helps.
#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "tests/support/cuda.h"
#include "tests/support/error_of.h"

namespace engine {
namespace {

using test_support::error_of;
using test_support::kCuda;

TEST(CudaAllocator, CountsWhatTensorsHold) {
  SKIP_WITHOUT_CUDA();
  Allocator& allocator = allocator_of(kCuda);
  allocator.reset_peak();
  const int64_t held = allocator.stats().current_bytes;
  {
    const Tensor a({1024}, DType::f32, kCuda), b({1024}, DType::f32, kCuda);
    EXPECT_EQ(allocator.stats().current_bytes, held + 8192);
  }
  EXPECT_EQ(allocator.stats().current_bytes, held);
  EXPECT_EQ(allocator.stats().peak_bytes, held + 8192);
}

TEST(CudaAllocator, SaysWhatWasAskedForAndWhatHelps) {
  SKIP_WITHOUT_CUDA();
  const int64_t held = allocator_of(kCuda).stats().current_bytes;
  const std::string text = error_of([] { Tensor({int64_t{1} << 50}, DType::u8, kCuda); });
  EXPECT_NE(text.find("out of memory on cuda:0: asked for 1048576.0 GiB"), std::string::npos)
      << text;
  EXPECT_NE(text.find("--batch-size"), std::string::npos) << text;
  EXPECT_EQ(allocator_of(kCuda).stats().current_bytes, held);
}

TEST(CudaAllocator, ReleasesItsCache) {
  SKIP_WITHOUT_CUDA();
  Allocator& allocator = allocator_of(kCuda);
  { const Tensor t({int64_t{200} << 20}, DType::u8, kCuda); }
  allocator.release_cache();
  const MemoryStats stats = allocator.stats();
  EXPECT_LT(stats.cached_bytes, int64_t{200} << 20);
  EXPECT_LE(stats.largest_cached, stats.cached_bytes);
}

TEST(CudaDevice, NamesAMissingDevice) {
  SKIP_WITHOUT_CUDA();
  const std::string text = error_of([] { full({1}, 1.0, DType::f32, {Device::Type::cuda, 99}); });
  EXPECT_NE(text.find("there is no cuda:99"), std::string::npos) << text;
}

}  // namespace
}  // namespace engine
