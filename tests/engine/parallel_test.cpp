#include "engine/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace engine {
namespace {

struct Range {
  int64_t begin, end;
  bool operator<(const Range& other) const { return begin < other.begin; }
};

class ParallelFor : public testing::Test {
 protected:
  // Several threads on any machine, unless the environment sets a number: ThreadSanitizer does not
  // know OpenMP's barriers, so it is run with one thread.
  void SetUp() override {
    if (std::getenv("OMP_NUM_THREADS") == nullptr) omp_set_num_threads(4);
  }
  void TearDown() override { omp_set_num_threads(before_); }

  static std::vector<Range> ranges_of(int64_t count, int64_t grain) {
    std::mutex mutex;
    std::vector<Range> ranges;
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      ranges.push_back({begin, end});
    });
    std::sort(ranges.begin(), ranges.end());
    return ranges;
  }

 private:
  int before_ = omp_get_max_threads();
};

TEST_F(ParallelFor, RangesCoverEverythingOnce) {
  for (const int64_t count : {0, 1, 2, 3, 7, 64, 1000, 1001}) {
    for (const int64_t grain : {0, 1, 5, 64, 2000}) {
      int64_t next = 0;
      for (const Range& range : ranges_of(count, grain)) {
        EXPECT_EQ(range.begin, next);
        EXPECT_LT(range.begin, range.end);
        next = range.end;
      }
      EXPECT_EQ(next, count) << "grain " << grain;
    }
  }
}

TEST_F(ParallelFor, NoRangeIsSmallerThanTheGrain) {
  for (const Range& range : ranges_of(1000, 300)) EXPECT_GE(range.end - range.begin, 300);
  EXPECT_EQ(ranges_of(1000, 501).size(), 1U);
  EXPECT_EQ(ranges_of(10, 0).size(), static_cast<size_t>(std::min(10, omp_get_max_threads())));
}

TEST_F(ParallelFor, AnInnerLoopStaysOnItsThread) {
  std::atomic<int64_t> inner_ranges = 0, items = 0;
  parallel_for(8, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      parallel_for(100, 1, [&](int64_t from, int64_t to) {
        ++inner_ranges;
        items += to - from;
      });
    }
  });
  EXPECT_EQ(items, 800);
  EXPECT_EQ(inner_ranges, 8);
}

TEST_F(ParallelFor, AThreadWritesOnlyItsRange) {
  std::vector<int64_t> squares(10'000);
  parallel_for(10'000, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) squares[static_cast<size_t>(i)] = i * i;
  });
  for (int64_t i = 0; i < 10'000; ++i) ASSERT_EQ(squares[static_cast<size_t>(i)], i * i);
}

TEST_F(ParallelFor, EveryItemIsDoneOnce) {
  for (const int64_t count : {0, 1, 3, 64, 1001}) {
    std::vector<std::atomic<int>> done(static_cast<size_t>(count));
    parallel_items(count, [&](int64_t i) { ++done[static_cast<size_t>(i)]; });
    for (const std::atomic<int>& times : done) EXPECT_EQ(times, 1) << count;
  }
}

TEST_F(ParallelFor, ThreadsHelpTheOneThatIsHeldUp) {
  if (omp_get_max_threads() == 1) GTEST_SKIP() << "needs two threads";
  constexpr int64_t kCount = 100;
  std::atomic<int64_t> done = 0;
  bool helped = false;
  parallel_items(kCount, [&](int64_t i) {
    const auto most = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (i == 0 && done < kCount - 1 && std::chrono::steady_clock::now() < most) {
    }
    if (i == 0) helped = done == kCount - 1;
    ++done;
  });
  EXPECT_TRUE(helped);
}

}  // namespace
}  // namespace engine
