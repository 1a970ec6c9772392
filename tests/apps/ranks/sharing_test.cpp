// Ranks find out with whom they share cores. Here they are threads, each with its own affinity
// mask.
#include "apps/ranks/sharing.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "tests/support/thread_ranks.h"

namespace apps {
namespace {

// The first cores that this thread may use, at most `count`.
std::vector<size_t> usable(size_t count) {
  const auto mask = engine::core_mask();
  std::vector<size_t> cores;
  for (size_t core = 0; core < 64 * mask.size() && cores.size() < count; ++core) {
    if ((mask[core / 64] >> core % 64 & 1) != 0) cores.push_back(core);
  }
  return cores;
}

void bind_this_thread(size_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

TEST(Sharing, OfRanksThatNothingBinds) {
  test_support::on_ranks(3, [](engine::Communicator& ranks) {
    const engine::Sharing sharing = find_sharing(ranks, engine::kCpu);
    EXPECT_EQ(sharing.cores, 3);
    EXPECT_EQ(sharing.machine, 3);
  });
}

// Ranks 0 and 2 on one core, rank 1 on another if there are two.
TEST(Sharing, OfRanksThatTheirLauncherBinds) {
  test_support::on_ranks(3, [](engine::Communicator& ranks) {
    const std::vector<size_t> cores = usable(2);
    bind_this_thread(ranks.rank() == 1 ? cores.back() : cores.front());
    const engine::Sharing sharing = find_sharing(ranks, engine::kCpu);
    EXPECT_EQ(sharing.cores, cores.size() == 1 ? 3 : ranks.rank() == 1 ? 1 : 2);
    EXPECT_EQ(sharing.machine, 3);
  });
}

}  // namespace
}  // namespace apps
