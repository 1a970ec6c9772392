#include "engine/arithmetic.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

TEST(Arithmetic, RoundsUp) {
  EXPECT_EQ(ceil_div(0, 4), 0);
  EXPECT_EQ(ceil_div(1, 4), 1);
  EXPECT_EQ(ceil_div(4, 4), 1);
  EXPECT_EQ(round_up(0, 64), 0);
  EXPECT_EQ(round_up(1, 64), 64);
  EXPECT_EQ(round_up(64, 64), 64);
}

TEST(Arithmetic, PartsAreNearlyEqualAndFollowEachOther) {
  for (const int64_t count : {0, 1, 7, 100}) {
    for (const int64_t parts : {1, 3, 7, 8}) {
      int64_t end = 0, calls = 0;
      for_parts(count, parts, [&](int64_t begin, int64_t size) {
        EXPECT_EQ(begin, end);
        EXPECT_GE(size, count / parts);
        EXPECT_LE(size, ceil_div(count, parts));
        end += size;
        ++calls;
      });
      EXPECT_EQ(end, count);
      EXPECT_EQ(calls, parts);
    }
  }
}

}  // namespace
}  // namespace engine
