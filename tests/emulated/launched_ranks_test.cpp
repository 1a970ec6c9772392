// Ranks as a command starts them, on emulated GPUs: threads of one process, and processes that
// torchrun has started (here: threads that see its variables).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "apps/commands/commands.h"
#include "apps/ranks/bad_start.h"
#include "apps/ranks/ranks.h"
#include "engine/tensor_ops.h"
#include "pixpro/train/shared_error.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/error_of.h"

namespace apps {
namespace {

using engine::DType;
using engine::Tensor;
using test_support::error_of;

RankPlan four_ranks() { return plan_ranks({.threads = 1, .device = "cuda:3,0-2"}, {}); }

double sum(engine::Communicator& lane, double value, engine::Device device) {
  const Tensor x = engine::full({3}, value, DType::f32, device);
  lane.all_reduce(x);
  return engine::to_values(x)[0];
}

// Waits for all ranks on every lane, in vain if one does not come.
void sum_on_all_lanes(const Rank& rank) {
  for (int lane = 0; lane < 4; ++lane) {
    EXPECT_EQ(sum(rank.ranks->lane(lane), rank.index, rank.device), 6.0);
  }
}

TEST(CudaLaunchedRanks, AreThreadsWithAGpuEach) {
  std::atomic<int> jobs = 0, leaders = 0;
  const RankPlan plan = four_ranks();
  EXPECT_EQ(plan.count(), 4);
  on_ranks(plan, [&](const Rank& rank) {
    ++jobs;
    if (rank.leads()) ++leaders;
    EXPECT_EQ(rank.count, 4);
    EXPECT_EQ(rank.local_count, 4);
    EXPECT_EQ(rank.index, rank.ranks->rank());
    EXPECT_EQ(rank.device.index, (rank.index + 3) % 4);
    EXPECT_EQ(rank.threads.count, 1);
    sum_on_all_lanes(rank);
  });
  EXPECT_EQ(jobs, 4);
  EXPECT_EQ(leaders, 1);
}

TEST(CudaLaunchedRanks, OneGpuIsDrivenByTheCallingThread) {
  const auto self = std::this_thread::get_id();
  on_ranks(plan_ranks({.threads = 1, .device = "cuda:1"}, {}), [&](const Rank& rank) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    EXPECT_EQ(rank.ranks, nullptr);
    EXPECT_EQ(rank.device.index, 1);
    EXPECT_TRUE(rank.leads());
  });
}

TEST(CudaLaunchedRanks, ThreadsShareTheCores) {
  const int cores = engine::usable_cores().count;
  on_ranks(plan_ranks({.device = "cuda:0-1"}, {}), [&](const Rank& rank) {
    EXPECT_EQ(rank.threads.count, std::max(1, cores / 2));
    EXPECT_NE(rank.threads.reason.find("for 2 ranks"), std::string::npos) << rank.threads.reason;
    rank.ranks->barrier();
  });
}

// The others wait for it in a collective.
TEST(CudaLaunchedRanks, ARankThatThrowsEndsAll) {
  const std::string error = error_of([&] {
    on_ranks(four_ranks(), [&](const Rank& rank) {
      rank.ranks->barrier();
      if (rank.index == 2) engine::fail("the disk is full");
      rank.ranks->lane(3).barrier();
      ADD_FAILURE() << "rank " << rank.index << " did not wait";
    });
  });
  EXPECT_EQ(error, "rank 2: the disk is full");
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

TEST(CudaLaunchedRanks, ARankThatCannotBeginEndsAll) {
  cuda_emulation::fail_call("ncclGetUniqueId", 1);
  int jobs = 0;
  const std::string error = error_of([&] { on_ranks(four_ranks(), [&](const Rank&) { ++jobs; }); });
  cuda_emulation::fail_no_call();
  EXPECT_TRUE(error.starts_with("rank 0: NCCL")) << error;
  EXPECT_EQ(jobs, 0);
}

// The others wait for it in NCCL, out of reach.
TEST(CudaLaunchedRanks, ARankThatCannotJoinTheOthersEndsAll) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::pair<const char*, int64_t> calls[] = {{"ncclCommInitRank", 4}, {"ncclCommSplit", 1}};
  for (const auto& [call, nth] : calls) {
    const auto start = [&, function = call, number = nth] {
      cuda_emulation::fail_call(function, number);
      on_ranks(four_ranks(), [](const Rank&) {});
    };
    EXPECT_EXIT(start(), testing::ExitedWithCode(1), "pixpro: rank [0-3]: NCCL") << call;
  }
}

// All ranks of a run that a signal has stopped; rank 0 still talks to the others after that.
TEST(CudaLaunchedRanks, StoppedIsNoFailure) {
  std::atomic<int> stopped = 0;
  const auto job = [&](const Rank& rank) {
    if (rank.leads()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    sum_on_all_lanes(rank);
    ++stopped;
    throw Stopped("interrupted after step 7");
  };
  EXPECT_THROW(on_ranks(four_ranks(), job), EndedTogether);
  EXPECT_EQ(stopped, 4);
}

// All ranks throw a SharedError. Rank 0 prints its own, and no communicator is aborted.
TEST(CudaLaunchedRanks, ASharedErrorEndsAllTogether) {
  const auto job = [](const Rank& rank) {
    if (rank.leads()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    sum_on_all_lanes(rank);
    throw pixpro::SharedError("the loss is not finite, says rank " + std::to_string(rank.index));
  };
  testing::internal::CaptureStderr();
  int status = 0;
  try {
    on_ranks(four_ranks(), job);
  } catch (const EndedTogether& end) {
    status = end.status;
  }
  EXPECT_EQ(status, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "pixpro: the loss is not finite, says rank 0\n");
}

TEST(CudaLaunchedRanks, AFailedCheckKeepsItsType) {
  const auto job = [](const Rank& rank) {
    if (rank.index == 1) throw CheckFailed{};
    rank.ranks->barrier();
  };
  EXPECT_THROW(on_ranks(four_ranks(), job), CheckFailed);
}

// What torchrun tells its ranks.
Environment torchrun(int rank, int count) {
  return {{"WORLD_SIZE", std::to_string(count)}, {"LOCAL_WORLD_SIZE", std::to_string(count)},
          {"RANK", std::to_string(rank)},        {"LOCAL_RANK", std::to_string(rank)},
          {"MASTER_ADDR", "localhost"},          {"MASTER_PORT", "29500"}};
}

TEST(CudaLaunchedRanks, OfTorchrunMeetThroughNccl) {
  unsetenv("NCCL_COMM_ID");
  std::vector<std::thread> processes;
  for (int process = 0; process < 3; ++process) {
    processes.emplace_back([process] {
      const RankPlan plan = plan_ranks({.threads = 1, .device = "cuda"}, torchrun(process, 3));
      on_ranks(plan, [&](const Rank& rank) {
        EXPECT_EQ(rank.index, process);
        EXPECT_EQ(rank.count, 3);
        EXPECT_EQ(rank.local_count, 3);
        EXPECT_EQ(rank.device.index, process);
        EXPECT_EQ(sum(*rank.ranks, rank.index, rank.device), 3.0);
      });
    });
  }
  for (std::thread& process : processes) process.join();
  EXPECT_STREQ(std::getenv("NCCL_COMM_ID"), "localhost:29500");
  unsetenv("NCCL_COMM_ID");
}

void expect_refused(const std::string& device, const Environment& environment,
                    const std::string& words) {
  EXPECT_THROW(plan_ranks({.device = device}, environment), BadStart);
  const std::string error = error_of([&] { plan_ranks({.device = device}, environment); });
  EXPECT_NE(error.find(words), std::string::npos) << error;
}

TEST(CudaLaunchedRanks, OfALauncherTakeOneGpuEach) {
  EXPECT_EQ(plan_ranks({.device = "cuda"}, torchrun(2, 8)).devices[0].index, 2);
  for (const char* device : {"cuda:0", "cuda:0-3", "cuda:all"}) {
    expect_refused(device, torchrun(0, 4), "torchrun has started 4 ranks, each of which takes one");
  }
  expect_refused("cuda", torchrun(4, 8), "this is rank 4 of its machine");
  expect_refused("cuda:0-4", {}, "there is no cuda:4: the process sees 4 GPUs");
  Environment unknown = torchrun(2, 8);
  unknown.erase("LOCAL_RANK");
  expect_refused("cuda", unknown, "does not say which of the machine's ranks this is");
}

}  // namespace
}  // namespace apps
