// The emulated NCCL between two ranks, each a thread with a device of its own: right results, and
// calls that do not fit together are caught on both.
#include <nccl.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#include "tests/cuda_emulation/nccl/rendezvous.h"
#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

constexpr int kRanks = 2;

class NcclTest : public EmulationTest {
 protected:
  // Runs the body on two threads at once: body(rank, communicator).
  void on_two_ranks(const std::function<void(int, ncclComm_t)>& body, bool same_device = false) {
    ncclUniqueId id;
    ASSERT_EQ(ncclGetUniqueId(&id), ncclSuccess);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kRanks; ++rank) {
      threads.emplace_back([=] {
        ASSERT_EQ(cudaSetDevice(same_device ? 0 : rank), cudaSuccess);
        ncclComm_t comm = nullptr;
        ASSERT_EQ(ncclCommInitRank(&comm, kRanks, id, rank),
                  same_device ? ncclInvalidUsage : ncclSuccess);
        if (same_device) return;
        body(rank, comm);
        EXPECT_EQ(ncclCommDestroy(comm), ncclSuccess);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // The findings of both ranks that mention the text.
  static size_t findings_with(const std::string& text) {
    size_t count = 0;
    for (const std::string& finding : take_findings()) {
      if (finding.find(text) != std::string::npos) ++count;
    }
    return count;
  }
};

std::vector<float> of_rank(int rank, size_t count) {
  std::vector<float> values = counted(count);
  for (float& value : values) value += 1000.0f * static_cast<float>(rank);
  return values;
}

TEST_F(NcclTest, AllReduceAddsUp) {
  const size_t count = Rendezvous::kSlotBytes / 4 * 2 + 5;  // more than two slots hold
  on_two_ranks([=](int rank, ncclComm_t comm) {
    const Stream stream;
    const DeviceFloats x(of_rank(rank, count));
    ASSERT_EQ(ncclAllReduce(x.data(), x.data(), count, ncclFloat32, ncclSum, comm, stream),
              ncclSuccess);
    const std::vector<float> sums = x.values();
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(sums[i], 1000.0f + 2.0f * static_cast<float>(i));
  });
  EXPECT_TRUE(take_findings().empty());
}

TEST_F(NcclTest, BroadcastAndAllGather) {
  on_two_ranks([](int rank, ncclComm_t comm) {
    const Stream stream;
    const DeviceFloats x(of_rank(rank, 3)), whole(6);
    ASSERT_EQ(ncclAllGather(x.data(), whole.data(), 3, ncclFloat32, comm, stream), ncclSuccess);
    ASSERT_EQ(ncclBroadcast(x.data(), x.data(), 3, ncclFloat32, 1, comm, stream), ncclSuccess);
    EXPECT_EQ(whole.values(), (std::vector<float>{0, 1, 2, 1000, 1001, 1002}));
    EXPECT_EQ(x.values(), (std::vector<float>{1000, 1001, 1002}));
  });
}

// A collective on a racing stream does not wait for the kernel that makes its input.
TEST_F(NcclTest, RacingCollectivesOvertakeWhatTheyDoNotWaitFor) {
  SKIP_RACE();
  options().streams = Streams::racing;
  on_two_ranks([](int, ncclComm_t comm) {
    const Stream compute, collectives;
    const DeviceFloats x(of_rank(0, 64)), doubled(64), sums(64);
    ASSERT_EQ(launch_double(compute, 1, x.data(), doubled.data()), cudaSuccess);
    ASSERT_EQ(
        ncclAllReduce(doubled.data(), sums.data(), 64, ncclFloat32, ncclSum, comm, collectives),
        ncclSuccess);
    EXPECT_EQ(doubled.values()[3], 6.0f);
    EXPECT_TRUE(std::isnan(sums.values()[3]));
  });
}

// Rank 1 waits for nothing on its device; rank 0 gets its sums all the same.
TEST_F(NcclTest, APeersDeviceMovesOnItsOwn) {
  std::atomic<bool> rank0_is_through = false;
  on_two_ranks([&](int rank, ncclComm_t comm) {
    const Stream stream;
    const DeviceFloats x(of_rank(rank, 1));
    ASSERT_EQ(ncclAllReduce(x.data(), x.data(), 1, ncclFloat32, ncclSum, comm, stream),
              ncclSuccess);
    if (rank == 0) {
      EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
      rank0_is_through = true;
    } else {
      while (!rank0_is_through) std::this_thread::yield();
    }
  });
}

TEST_F(NcclTest, CollectivesThatDoNotFitTogether) {
  const auto call = [](ncclComm_t comm, const DeviceFloats& x, size_t count, ncclDataType_t type) {
    const Stream stream;
    ASSERT_EQ(ncclAllReduce(x.data(), x.data(), count, type, ncclSum, comm, stream), ncclSuccess);
    EXPECT_NE(cudaStreamSynchronize(stream), cudaSuccess);
    ncclResult_t error = ncclSuccess;
    EXPECT_EQ(ncclCommGetAsyncError(comm, &error), ncclSuccess);
    EXPECT_NE(error, ncclSuccess);
  };
  on_two_ranks([&](int rank, ncclComm_t comm) {
    call(comm, DeviceFloats(8), rank == 0 ? 8 : 7, ncclFloat32);
  });
  EXPECT_EQ(findings_with("of 8 elements"), 2u);
  on_two_ranks([&](int rank, ncclComm_t comm) {
    call(comm, DeviceFloats(8), 8, rank == 0 ? ncclFloat32 : ncclFloat16);
  });
  EXPECT_EQ(findings_with("of type 6"), 2u);
}

TEST_F(NcclTest, CollectivesInAnotherOrder) {
  on_two_ranks([](int rank, ncclComm_t comm) {
    const Stream stream;
    const DeviceFloats x(8);
    for (const int which : {rank, 1 - rank}) {
      if (which == 0) ncclAllReduce(x.data(), x.data(), 8, ncclFloat32, ncclSum, comm, stream);
      if (which == 1) ncclBroadcast(x.data(), x.data(), 8, ncclFloat32, 0, comm, stream);
    }
    EXPECT_NE(cudaStreamSynchronize(stream), cudaSuccess);
  });
  EXPECT_GE(findings_with("but rank"), 2u);
}

TEST_F(NcclTest, ARankThatDoesNotCome) {
  const std::chrono::milliseconds before = patience();
  on_two_ranks([](int rank, ncclComm_t comm) {
    if (rank == 1) return;
    patience() = std::chrono::milliseconds(50);
    const Stream stream;
    const DeviceFloats x(8);
    ASSERT_EQ(ncclAllReduce(x.data(), x.data(), 8, ncclFloat32, ncclSum, comm, stream),
              ncclSuccess);
    EXPECT_NE(cudaStreamSynchronize(stream), cudaSuccess);
  });
  EXPECT_EQ(findings_with("waited in vain"), 1u);
  patience() = before;
}

// Two communicators of the same ranks, used in another order on each.
TEST_F(NcclTest, ASplitCommunicatorIsIndependent) {
  on_two_ranks([](int rank, ncclComm_t comm) {
    ncclComm_t other = nullptr;
    ASSERT_EQ(ncclCommSplit(comm, 0, rank, &other, nullptr), ncclSuccess);
    const Stream streams[2];
    const DeviceFloats x(of_rank(rank, 3)), y(of_rank(rank, 2));
    for (const int which : {rank, 1 - rank}) {
      const DeviceFloats& t = which == 0 ? x : y;
      ASSERT_EQ(ncclAllReduce(t.data(), t.data(), which == 0 ? 3 : 2, ncclFloat32, ncclSum,
                              which == 0 ? comm : other, streams[which]),
                ncclSuccess);
    }
    EXPECT_EQ(x.values(), (std::vector<float>{1000, 1002, 1004}));
    EXPECT_EQ(y.values(), (std::vector<float>{1000, 1002}));
    EXPECT_EQ(ncclCommDestroy(other), ncclSuccess);
  });
  EXPECT_TRUE(take_findings().empty());
}

// ncclCommAbort does not wait for the other rank, and afterwards the other rank does not wait
// either.
TEST_F(NcclTest, AbortEndsWhatIsUnderWay) {
  on_two_ranks([](int rank, ncclComm_t comm) {
    ncclComm_t other = nullptr;
    ASSERT_EQ(ncclCommSplit(comm, 0, rank, &other, nullptr), ncclSuccess);
    const Stream stream;
    const DeviceFloats x(8);
    if (rank == 0) {
      ncclAllReduce(x.data(), x.data(), 8, ncclFloat32, ncclSum, other, stream);
    } else {
      EXPECT_EQ(ncclCommAbort(other), ncclSuccess);
    }
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    if (rank == 1) return;
    ncclResult_t error = ncclSuccess;
    EXPECT_EQ(ncclCommGetAsyncError(other, &error), ncclSuccess);
    EXPECT_EQ(error, ncclRemoteError);
    EXPECT_EQ(ncclCommAbort(other), ncclSuccess);
    EXPECT_EQ(ncclCommGetAsyncError(other, &error), ncclInvalidArgument);
  });
  EXPECT_TRUE(take_findings().empty());
}

TEST_F(NcclTest, EveryRankNeedsADeviceOfItsOwn) {
  on_two_ranks({}, /*same_device=*/true);
  EXPECT_EQ(findings_with("use the same device 0"), 2u);
}

}  // namespace
}  // namespace cuda_emulation
