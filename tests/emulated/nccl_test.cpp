// The NCCL communicator between two ranks, each of which is a thread with its own device.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include "engine/kernels/pointwise.h"
#include "engine/ranks/communicator.h"
#include "engine/tensor_ops.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"

namespace engine {
namespace {

constexpr int kRanks = 2;

// Runs the body on both ranks at once. Returns the messages of their errors, "" for no error.
std::array<std::string, kRanks> on_two_ranks(
    const std::function<void(Communicator&, Device)>& body) {
  std::promise<std::vector<std::byte>> promise;
  const auto shared = promise.get_future().share();
  std::array<std::string, kRanks> errors;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto share = [&](std::span<std::byte> bytes) {
        if (rank == 0) promise.set_value({bytes.begin(), bytes.end()});
        std::memcpy(bytes.data(), shared.get().data(), bytes.size());
      };
      const Device device{Device::Type::cuda, rank};
      try {
        body(*make_nccl_communicator(device, rank, kRanks, share), device);
      } catch (const Error& error) {
        errors[static_cast<size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

void expect_no_errors(const std::array<std::string, kRanks>& errors) {
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

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

// Sums of several tensors run concurrently with the device's work; finish() makes them visible.
TEST(CudaNccl, StartedSumsAreVisibleAfterFinish) {
  expect_no_errors(on_two_ranks([](Communicator& ranks, Device device) {
    const double own = ranks.rank() == 0 ? 1.0 : 10.0;
    const Tensor a = full({300}, own, DType::f32, device), b = full({7}, -own, DType::f32, device);
    Tensor c = full({5}, own, DType::f32, device), sum = empty_like(a);
    ranks.start_all_reduce(a);
    ranks.start_all_reduce(b);
    on_device(device, [&](auto& ctx) { fill(ctx, c, 4.0); });
    ranks.finish();
    on_device(device, [&](auto& ctx) { add(ctx, a, a, sum); });
    EXPECT_EQ(to_values(sum), std::vector<double>(300, 22.0));
    EXPECT_EQ(to_values(b), std::vector<double>(7, -11.0));
    EXPECT_EQ(to_values(c), std::vector<double>(5, 4.0));
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

// One rank alone: another one would wait for the collectives that a failing rank leaves out.
void job_of_one_rank() {
  const Device device = test_support::kCuda;
  const auto alone = make_nccl_communicator(device, 0, 1, [](std::span<std::byte>) {});
  Tensor x = zeros({4}, DType::f32, device), whole = zeros({1, 4}, DType::f32, device);
  alone->all_reduce(x);
  alone->broadcast(x, 0);
  alone->all_gather(x, whole);
}

TEST(CudaNccl, AFailingCallIsAnErrorAndLeaksNothing) {
  job_of_one_rank();
  const std::vector<std::string> before = cuda_emulation::live_objects();
  for (const char* function : {"ncclGetUniqueId", "ncclCommInitRank", "ncclAllReduce",
                               "ncclBroadcast", "ncclAllGather", "ncclCommGetAsyncError"}) {
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
