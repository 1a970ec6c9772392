#include "engine/on_two_threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "engine/profile.h"

namespace engine {
namespace {

// Runs f with this many OpenMP threads.
template <class F>
void with_threads(int count, F&& f) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(count);
  f();
  EXPECT_EQ(omp_get_max_threads(), count) << "changed by what ran";
  omp_set_num_threads(before);
}

// ThreadSanitizer does not know OpenMP's barriers, so it is run with one thread.
bool one_thread_only() {
  return std::getenv("OMP_NUM_THREADS") != nullptr && omp_get_max_threads() == 1;
}

TEST(OnTwoThreads, WithTwoThreadsBothRunAtTheSameTimeOnOneEach) {
  if (one_thread_only()) GTEST_SKIP() << "OMP_NUM_THREADS is 1";
  with_threads(2, [] {
    std::atomic<int> arrived = 0;
    std::thread::id threads[2];
    int most[2] = {};
    const auto piece = [&](int i) {
      threads[i] = std::this_thread::get_id();
      most[i] = omp_get_max_threads();
      ++arrived;
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (arrived < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      EXPECT_EQ(arrived, 2) << "the other piece does not run";
    };
    on_two_threads(kCpu, std::bind(piece, 0), std::bind(piece, 1));
    EXPECT_EQ(threads[0], std::this_thread::get_id());
    EXPECT_NE(threads[1], threads[0]);
    EXPECT_EQ(most[0], 1);
    EXPECT_EQ(most[1], 1);
  });
}

TEST(OnTwoThreads, OnCudaOrWithAnotherNumberOfThreadsOneRunsAfterTheOther) {
  const Device cuda{Device::Type::cuda, 0};
  for (const auto& [where, threads] : {std::pair(kCpu, 1), {kCpu, 3}, {kCpu, 4}, {cuda, 2}}) {
    with_threads(threads, [&, device = where, count = threads] {
      std::vector<std::pair<int, int>> calls;  // piece, threads
      const auto piece = [&](int i) { calls.emplace_back(i, omp_get_max_threads()); };
      on_two_threads(device, std::bind(piece, 0), std::bind(piece, 1));
      EXPECT_EQ(calls, (std::vector<std::pair<int, int>>{{0, count}, {1, count}}));
    });
  }
}

TEST(OnTwoThreads, SettingsReachBothAndWhatTheyCountReachesTheCaller) {
  for (const int count : {1, 2}) {
    with_threads(count, [&] {
      CpuContext& caller = cpu_context();
      const ConvPolicy before = caller.settings.conv_policy;
      Profile profile;
      profile.kernels["known"].calls = 1;
      caller.settings.conv_policy = ConvPolicy::direct;
      caller.profile = &profile;
      const int64_t packings = caller.counters.packings;
      const auto piece = [](const char* kernel) {
        CpuContext& ctx = cpu_context();
        EXPECT_EQ(ctx.settings.conv_policy, ConvPolicy::direct);
        ++ctx.counters.packings;
        const Timer timer(ctx, kernel, 8.0, 100.0);
        const Timer known(ctx, "known", 0.0);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      };
      on_two_threads(kCpu, std::bind(piece, "first"), std::bind(piece, "second"));
      caller.profile = nullptr;
      caller.settings.conv_policy = before;
      EXPECT_EQ(caller.counters.packings, packings + 2);
      EXPECT_EQ(profile.kernels["known"].calls, 3);
      for (const char* kernel : {"first", "second"}) {
        const KernelTotal& total = profile.kernels[kernel];
        EXPECT_EQ(total.calls, 1);
        EXPECT_EQ(total.flops, 100.0);
        EXPECT_EQ(total.bytes, 8.0);
        EXPECT_GE(total.seconds, 0.020 / count);  // half counts if it ran on one of two threads
      }
    });
  }
}

// The second piece must not change the context of the thread it ran on.
TEST(OnTwoThreads, TheOtherThreadKeepsItsOwnContext) {
  if (one_thread_only()) GTEST_SKIP() << "OMP_NUM_THREADS is 1";
  with_threads(2, [] {
    const ConvPolicy before = cpu_context().settings.conv_policy;
    cpu_context().settings.conv_policy = ConvPolicy::winograd;
    const auto nothing = [] {};
    on_two_threads(kCpu, nothing, nothing);
    cpu_context().settings.conv_policy = before;
    std::vector<ConvPolicy> found(2);
#pragma omp parallel num_threads(2)
    found[static_cast<size_t>(omp_get_thread_num())] = cpu_context().settings.conv_policy;
    EXPECT_EQ(found, (std::vector{before, ConvPolicy::automatic}));
  });
}

TEST(OnTwoThreads, AnExceptionOfEitherReachesTheCaller) {
  for (const int count : {1, 2}) {
    with_threads(count, [] {
      const auto fails = [] { throw std::runtime_error("broken"); };
      bool done = false;
      const auto succeeds = [&] { done = true; };
      EXPECT_THROW(on_two_threads(kCpu, succeeds, fails), std::runtime_error);
      EXPECT_TRUE(done);
      EXPECT_THROW(on_two_threads(kCpu, fails, succeeds), std::runtime_error);
      EXPECT_THROW(on_two_threads(kCpu, fails, fails), std::runtime_error);
    });
  }
}

}  // namespace
}  // namespace engine
