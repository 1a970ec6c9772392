// The NCCL communicator between two ranks, each of which is a thread with its own device.
#include <gtest/gtest.h>

#include <future>

#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"
#include "tests/cuda_emulation/control.h"
#include "tests/emulated/two_ranks.h"
#include "tests/support/cuda.h"

namespace engine {
namespace {

TEST(CudaNccl, SumsEveryType) {
  expect_no_errors(on_two_ranks([](Communicator& ranks, Device device) {
    EXPECT_EQ(ranks.size(), kRanks);
    for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i64}) {
      const Tensor x = full({1000}, ranks.rank() == 0 ? 2.0 : 3.0, DType::f32, device);
      const Tensor typed = dtype == DType::i64 || dtype == DType::f64
                               ? full({1000}, ranks.rank() == 0 ? 2.0 : 3.0, dtype, device)
                               : to_dtype(x, dtype);
      ranks.all_reduce(typed);
      EXPECT_EQ(to_values(typed), std::vector<double>(1000, 5.0)) << dtype;
    }
  }));
}

// Started sums run concurrently with the device's work; join() makes them visible.
TEST(CudaNccl, StartedSumsAreVisibleOnceTheyAreJoined) {
  expect_no_errors(on_two_ranks([](Communicator& ranks, Device device) {
    const double own = ranks.rank() == 0 ? 1.0 : 10.0;
    const Tensor a = full({300}, own, DType::f32, device), b = full({7}, -own, DType::f32, device);
    Tensor c = full({5}, own, DType::f32, device), sum = empty_like(a);
    const Ticket first = ranks.start_all_reduce(a);
    const Ticket second = ranks.start_all_reduce(b);
    on_device(device, [&](auto& ctx) { fill(ctx, c, 4.0); });
    ranks.join(first);
    on_device(device, [&](auto& ctx) { add(ctx, a, a, sum); });
    EXPECT_EQ(to_values(sum), std::vector<double>(300, 22.0));
    ranks.join(second);
    ranks.join(first);  // again
    EXPECT_EQ(to_values(b), std::vector<double>(7, -11.0));
    EXPECT_EQ(to_values(c), std::vector<double>(5, 4.0));
  }));
}

// The sum of a lane is not begun before what writes its tensor has ended, and a sum that is joined
// does not wait for one that another lane has started.
TEST(CudaNccl, LanesDoNotWaitForEachOther) {
  expect_no_errors(on_two_ranks([](Communicator& ranks, Device device) {
    Communicator &one = ranks.lane(1), &two = ranks.lane(2);
    Tensor a({500}, DType::f32, device), b({400}, DType::f32, device);
    on_device(device, [&](auto& ctx) { fill(ctx, a, 1.0); });
    // The lanes in another order on each rank.
    const auto start_a = [&] { return one.start_all_reduce(a); };
    const Ticket early = ranks.rank() == 0 ? start_a() : Ticket{};
    on_device(device, [&](auto& ctx) { fill(ctx, b, 2.0); });
    two.all_reduce(b);
    EXPECT_EQ(to_values(b), std::vector<double>(400, 4.0));
    one.join(ranks.rank() == 0 ? early : start_a());
    EXPECT_EQ(to_values(a), std::vector<double>(500, 2.0));
    EXPECT_THROW(ranks.lane(kLanes), Error);
  }));
}

TEST(CudaNccl, BroadcastGatherAndBarrier) {
  expect_no_errors(on_two_ranks([](Communicator& ranks, Device device) {
    const double own = ranks.rank();
    Tensor x = full({2}, own, DType::f32, device), whole = zeros({2, 2}, DType::f32, device);
    ranks.all_gather(x, whole);
    ranks.broadcast(x, 1);
    ranks.barrier();
    EXPECT_EQ(to_values(whole), (std::vector<double>{0.0, 0.0, 1.0, 1.0}));
    EXPECT_EQ(to_values(x), std::vector<double>(2, 1.0));
  }));
}

TEST(CudaNccl, RanksThatDisagreeEndInAnError) {
  const auto errors = on_two_ranks([](Communicator& ranks, Device device) {
    ranks.all_reduce(zeros({ranks.rank() == 0 ? 4 : 5}, DType::f32, device));
    ranks.barrier();
  });
  for (const std::string& error : errors) EXPECT_NE(error, "");
  const std::vector<std::string> findings = cuda_emulation::take_findings();
  ASSERT_FALSE(findings.empty());
  EXPECT_NE(findings[0].find("ncclAllReduce number 1 of"), std::string::npos) << findings[0];
}

// Rank 0 waits for collectives that rank 1 never calls.
TEST(CudaNccl, AbortFreesARankThatWaitsInVain) {
  std::promise<Communicator*> waiting;
  std::promise<void> freed;
  expect_no_errors(on_two_ranks([&](Communicator& ranks, Device device) {
    if (ranks.rank() == 0) {
      const Ticket lost = ranks.lane(1).start_all_reduce(zeros({4}, DType::f32, device));
      ranks.lane(1).join(lost);
      waiting.set_value(&ranks);
      EXPECT_THROW(ranks.barrier(), Error);
      return freed.get_future().wait();
    }
    waiting.get_future().get()->abort();
    freed.set_value();
    ranks.abort();
    ranks.abort();  // once more is no harm
    EXPECT_THROW(ranks.barrier(), Error);
  }));
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

// Rank 0 throws while sums are under way that rank 1 never joins.
TEST(CudaNccl, TheDestructorWaitsForNobody) {
  std::promise<void> gone;
  const auto errors = on_two_ranks([&](Communicator& ranks, Device device) {
    ranks.barrier();
    if (ranks.rank() == 1) return gone.get_future().wait();
    for (int lane = 0; lane < kLanes; ++lane) {
      ranks.lane(lane).start_all_reduce(zeros({4}, DType::f32, device));
    }
    gone.set_value();
    fail("the disk is full");
  });
  EXPECT_EQ(errors[0], "the disk is full");
  EXPECT_EQ(errors[1], "");
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

// One rank alone: another one would wait for the collectives that a failing rank leaves out.
void job_of_one_rank() {
  const Device device = test_support::kCuda;
  const auto alone = make_nccl_communicator(device, 0, 1, 2, [](std::span<std::byte>) {});
  Tensor x = zeros({4}, DType::f32, device), whole = zeros({1, 4}, DType::f32, device);
  alone->all_reduce(x);
  alone->broadcast(x, 0);
  alone->all_gather(x, whole);
  alone->finish();
}

TEST(CudaNccl, AFailingCallIsAnErrorAndLeaksNothing) {
  job_of_one_rank();
  const std::vector<std::string> before = cuda_emulation::live_objects();
  for (const char* function :
       {"ncclGetUniqueId", "ncclCommInitRank", "ncclCommSplit", "ncclAllReduce", "ncclBroadcast",
        "ncclAllGather", "ncclCommGetAsyncError"}) {
    cuda_emulation::fail_call(function, 1);
    std::string error;
    try {
      job_of_one_rank();
    } catch (const Error& e) {
      error = e.what();
    }
    EXPECT_TRUE(cuda_emulation::failure_happened()) << function;
    cuda_emulation::fail_no_call();
    EXPECT_TRUE(error.starts_with("NCCL: ")) << function << ": " << error;
    EXPECT_EQ(cuda_emulation::live_objects(), before) << function;
  }
}

}  // namespace
}  // namespace engine
