// Ranks that mpirun starts, on the CPU.
#include "tests/apps/ranks/mpirun.h"

#include "apps/commands/commands.h"
#include "apps/console.h"
#include "apps/ranks/ranks.h"
#include "engine/tensor_ops.h"

namespace apps {
namespace {

double sum_of_ranks(engine::Communicator& lane) {
  const engine::Tensor x = engine::full({5}, 1.0 + lane.rank());
  lane.all_reduce(x);
  return engine::to_values(x)[0];
}

TEST(Mpirun, StartsRanksThatAreProcesses) {
  if (const auto result = on_two_ranks_of(PIXPRO_MPIRUN)) return expect_good_end(*result);
  on_ranks(plan_ranks({}), [](const Rank& rank) {
    EXPECT_EQ(rank.count, 2);
    EXPECT_EQ(rank.local_count, 2);
    for (int lane = 0; lane < 4; ++lane) EXPECT_EQ(sum_of_ranks(rank.ranks->lane(lane)), 3.0);
    say("rank " + std::to_string(rank.index) + " ends well\n");
  });
  finish_output();
}

TEST(Mpirun, EndsTheJobOfARankThatThrows) {
  if (const auto result = on_two_ranks_of(PIXPRO_MPIRUN)) {
    return expect_failure(*result, "pixpro: rank 1: the disk is full");
  }
  on_ranks(plan_ranks({}), [](const Rank& rank) {
    if (rank.index == 1) engine::fail("the disk is full");
    sum_of_ranks(*rank.ranks);
  });
}

// A signal has stopped the run.
TEST(Mpirun, StartsRanksThatAreStoppedAndEndWell) {
  if (const auto result = on_two_ranks_of(PIXPRO_MPIRUN)) return expect_good_end(*result);
  const auto job = [](const Rank& rank) {
    sum_of_ranks(*rank.ranks);
    say("rank " + std::to_string(rank.index) + " ends well\n");
    throw Stopped("interrupted");
  };
  EXPECT_THROW(on_ranks(plan_ranks({}), job), EndedTogether);
  finish_output();
}

}  // namespace
}  // namespace apps
