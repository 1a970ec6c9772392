// How a process becomes a rank, without GPUs: a rank of its own, and what is refused.
#include "apps/ranks/ranks.h"

#include <gtest/gtest.h>

#include "apps/ranks/bad_start.h"
#include "engine/ranks/mpi.h"
#include "tests/support/error_of.h"

namespace apps {
namespace {

using test_support::error_of;

const Environment kTwoOfMpi = {{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}};
const Environment kTwoOfTorchrun = {{"WORLD_SIZE", "2"},
                                    {"RANK", "1"},
                                    {"LOCAL_RANK", "1"},
                                    {"MASTER_ADDR", "localhost"},
                                    {"MASTER_PORT", "29500"}};

void expect_refused(const MachineFlags& flags, const Environment& environment,
                    const std::vector<std::string>& words) {
  EXPECT_THROW(plan_ranks(flags, environment), BadStart);
  const std::string error = error_of([&] { plan_ranks(flags, environment); });
  for (const std::string& word : words) {
    EXPECT_NE(error.find(word), std::string::npos) << word << " in " << error;
  }
}

TEST(Ranks, OneRankRunsOnTheCallingThread) {
  int jobs = 0;
  const RankPlan plan = plan_ranks({.threads = 1}, {});
  EXPECT_EQ(plan.count(), 1);
  EXPECT_EQ(busy_threads(plan, 3), 4);
  on_ranks(plan, [&](const Rank& rank) {
    ++jobs;
    EXPECT_EQ(rank.ranks, nullptr);
    EXPECT_EQ(rank.count, 1);
    EXPECT_TRUE(rank.leads());
    EXPECT_EQ(rank.threads.count, 1);
  });
  EXPECT_EQ(jobs, 1);
}

TEST(Ranks, AnErrorOfTheOnlyRankPassesAsItIs) {
  const auto job = [](const Rank&) { engine::fail("the disk is full"); };
  EXPECT_EQ(error_of([&] { on_ranks(plan_ranks({.threads = 1}, {}), job); }), "the disk is full");
}

TEST(Ranks, OfMpirunAreRefusedWithoutMpi) {
  if (engine::has_mpi()) {
    EXPECT_EQ(plan_ranks({}, kTwoOfMpi).count(), 2);
  } else {
    expect_refused({}, kTwoOfMpi, {"mpirun has started 2 ranks", "built without MPI"});
  }
}

TEST(Ranks, OfTorchrunAreRefusedOnTheCpu) {
  expect_refused({}, kTwoOfTorchrun, {"torchrun has started 2 ranks", "--device cuda", "mpirun"});
}

TEST(Ranks, OfALauncherTakeNoListOfGpus) {
  for (const char* device : {"cuda:0", "cuda:0-1", "cuda:all", "tpu"}) {
    expect_refused({.device = device}, kTwoOfMpi,
                   {"mpirun has started 2 ranks", "expected cpu or cuda", device});
  }
}

TEST(Ranks, OfOneMachineAreBusyTogether) {
  const RankPlan plan{.flags = {.threads = 3},
                      .launch = {.meeting = Meeting::mpi, .count = 8, .local_count = 2},
                      .devices = {engine::kCpu}};
  EXPECT_EQ(plan.count(), 8);
  EXPECT_EQ(busy_threads(plan, 4), 14);
}

}  // namespace
}  // namespace apps
