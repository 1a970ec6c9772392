#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/random.h"

namespace engine {
namespace {

// The pool never touches the memory, so any addresses will do.
char* address(int64_t place) { return reinterpret_cast<char*>(int64_t{1} << 40) + place; }

TEST(BlockPool, TakesTheSmallestBlockThatFits) {
  BlockPool pool;
  EXPECT_EQ(pool.take(1), nullptr);
  pool.add_segment(address(0), 1000);
  char* a = pool.take(300);
  char* wall = pool.take(100);
  char* b = pool.take(200);
  pool.take(400);
  EXPECT_EQ(pool.take(1), nullptr);
  pool.give_back(a);
  pool.give_back(b);
  EXPECT_EQ(pool.take(150), b);
  EXPECT_EQ(pool.take(250), a);
  EXPECT_EQ(pool.take(60), nullptr);
  EXPECT_EQ(pool.take(50), a + 250);
  EXPECT_EQ(pool.take(50), b + 150);
  pool.give_back(wall);
  EXPECT_EQ(pool.take(100), wall);
}

TEST(BlockPool, JoinsFreeNeighboursOnBothSidesButNotSegments) {
  BlockPool pool;
  pool.add_segment(address(0), 300);
  pool.add_segment(address(300), 100);  // happens to be adjacent
  char* blocks[] = {pool.take(100), pool.take(100), pool.take(100), pool.take(100)};
  EXPECT_EQ(blocks[0], address(300));  // best fit
  for (const int i : {1, 3, 2, 0}) pool.give_back(blocks[i]);
  EXPECT_EQ(pool.take(301), nullptr);
  EXPECT_EQ(pool.take(300), address(0));
  EXPECT_EQ(pool.take(100), address(300));
}

TEST(BlockPool, TellsTheFreeEndOfASegment) {
  BlockPool pool;
  pool.add_segment(address(0), 100);
  EXPECT_EQ(pool.free_tail(address(100)), address(0));
  char* first = pool.take(40);
  char* second = pool.take(60);
  EXPECT_EQ(pool.free_tail(address(100)), address(100));
  pool.give_back(second);
  EXPECT_EQ(pool.free_tail(address(100)), address(40));
  pool.give_back(first);
  EXPECT_EQ(pool.free_tail(address(100)), address(0));
}

TEST(BlockPool, BlocksNeverOverlapAndAllComesBack) {
  constexpr int64_t kBytes = 1 << 16;
  BlockPool pool;
  pool.add_segment(address(0), kBytes);
  std::map<char*, int64_t> held;
  Random random(7);
  for (int round = 0; round < 20000; ++round) {
    const int64_t bytes = 64 * (1 + random.below(40));
    char* block = random.chance(0.55) ? pool.take(bytes) : nullptr;
    if (block != nullptr) {
      const auto [place, is_new] = held.insert({block, bytes});
      ASSERT_TRUE(is_new);
      ASSERT_LE(block + bytes, address(kBytes));
      if (place != held.begin()) {
        ASSERT_LE(std::prev(place)->first + std::prev(place)->second, block);
      }
      if (std::next(place) != held.end()) {
        ASSERT_LE(block + bytes, std::next(place)->first);
      }
    } else if (!held.empty()) {
      const auto place = std::next(held.begin(), random.below(static_cast<int64_t>(held.size())));
      pool.give_back(place->first);
      held.erase(place);
    }
  }
  for (const auto& [block, bytes] : held) pool.give_back(block);
  EXPECT_EQ(pool.take(kBytes), address(0));
}

}  // namespace
}  // namespace engine
