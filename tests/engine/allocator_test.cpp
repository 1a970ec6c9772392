#include "engine/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "engine/error.h"
#include "tests/support/error_of.h"

namespace engine {
namespace {

using test_support::error_of;

// Under AddressSanitizer nothing is cached (see allocator.h).
#ifdef __SANITIZE_ADDRESS__
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif

int64_t requests() { return allocator_of(kCpu).stats().system_allocations; }

TEST(Allocator, AlignsEveryBlock) {
  for (const int64_t bytes : {0, 1, 63, 64, 65, 4095, 4096, 4097, 1'000'003}) {
    const Buffer buffer(kCpu, bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0U) << bytes;
    EXPECT_EQ(buffer.bytes(), bytes);
    std::memset(buffer.data(), 1, static_cast<size_t>(bytes));
  }
}

TEST(Allocator, NeedsNothingFromTheSystemInSteadyState) {
  if (!kCaching) GTEST_SKIP() << "no caching under AddressSanitizer";
  const auto step = [] {
    const Buffer weights(kCpu, 9'437'184), bias(kCpu, 256);
    for (const int64_t bytes : {100, 5000, 100, 1 << 20}) Buffer(kCpu, bytes);
  };
  step();
  const int64_t before = requests();
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(requests(), before);
}

TEST(Allocator, CutsAFreedBlockAndMergesThePieces) {
  if (!kCaching) GTEST_SKIP() << "no caching under AddressSanitizer";
  std::optional<Buffer> whole(std::in_place, kCpu, 64'000'000);
  const void* data = whole->data();
  whole.reset();
  const int64_t before = requests();
  for (int round = 0; round < 2; ++round) {
    const Buffer first(kCpu, 32'000'000), second(kCpu, 32'000'000);
    EXPECT_EQ(first.data(), data);
    EXPECT_EQ(static_cast<const char*>(second.data()), static_cast<const char*>(data) + 32'000'000);
  }
  EXPECT_EQ(Buffer(kCpu, 64'000'000).data(), data);
  EXPECT_EQ(requests(), before);
}

TEST(Allocator, CountsWhatIsHeldAndItsPeak) {
  constexpr int64_t kBytes = 8192;  // a size that is not rounded
  Allocator& allocator = allocator_of(kCpu);
  allocator.reset_peak();
  const int64_t held = allocator.stats().current_bytes;
  {
    const Buffer a(kCpu, kBytes), b(kCpu, kBytes);
    EXPECT_EQ(allocator.stats().current_bytes, held + 2 * kBytes);
  }
  const Buffer c(kCpu, kBytes);
  EXPECT_EQ(allocator.stats().current_bytes, held + kBytes);
  EXPECT_EQ(allocator.stats().peak_bytes, held + 2 * kBytes);
  allocator.reset_peak();
  EXPECT_EQ(allocator.stats().peak_bytes, held + kBytes);
}

TEST(Allocator, GivesItsCacheBack) {
  Allocator& allocator = allocator_of(kCpu);
  allocator.release_cache();
  const int64_t cached = allocator.stats().cached_bytes;  // between blocks in use
  { const Buffer buffer(kCpu, 64'000'000); }
  EXPECT_EQ(allocator.stats().cached_bytes > cached, kCaching);
  allocator.release_cache();
  EXPECT_EQ(allocator.stats().cached_bytes, cached);
  const int64_t before = requests();
  const Buffer again(kCpu, 64'000'000);
  EXPECT_EQ(requests(), before + 1);
}

TEST(Allocator, ARequestTooLargeChangesNothing) {
  if (!kCaching) GTEST_SKIP() << "AddressSanitizer ends the program instead";
  const MemoryStats before = allocator_of(kCpu).stats();
  const std::string message = error_of([] { Buffer(kCpu, int64_t{1} << 58); });
  EXPECT_NE(message.find("288230376151711744 bytes"), std::string::npos) << message;
  const MemoryStats after = allocator_of(kCpu).stats();
  EXPECT_EQ(after.current_bytes, before.current_bytes);
  EXPECT_EQ(after.peak_bytes, before.peak_bytes);
  EXPECT_EQ(after.system_allocations, before.system_allocations);
}

TEST(Allocator, ServesManyThreads) {
  const int64_t held = allocator_of(kCpu).stats().current_bytes;
  std::vector<int> damaged(4, 0);
  std::vector<std::thread> threads;
  for (size_t id = 0; id < damaged.size(); ++id) {
    threads.emplace_back([id, &damaged] {
      const std::vector<uint8_t> pattern(3000, static_cast<uint8_t>(id + 1));
      for (int round = 0; round < 500; ++round) {
        const Buffer a(kCpu, 3000), b(kCpu, 3000);
        std::memcpy(a.data(), pattern.data(), pattern.size());
        std::memcpy(b.data(), pattern.data(), pattern.size());
        if (std::memcmp(a.data(), pattern.data(), pattern.size()) != 0) ++damaged[id];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(damaged, std::vector<int>(4, 0));
  EXPECT_EQ(allocator_of(kCpu).stats().current_bytes, held);
}

TEST(Allocator, NamesADeviceItDoesNotServe) {
  if (kHasCuda) GTEST_SKIP() << "this build has CUDA";
  EXPECT_THROW(allocator_of({Device::Type::cuda, 0}), Error);
}

}  // namespace
}  // namespace engine
