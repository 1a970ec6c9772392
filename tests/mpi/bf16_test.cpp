// Sums of bf16, which MPI does not know, and what a lane counts.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "autograd/ops.h"
#include "autograd/reducer.h"
#include "engine/tensor_ops.h"
#include "tests/mpi/ranks.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using autograd::Var;
using test_support::hashed_tensor;

constexpr double kRounding = 1.0 / 256.0;

std::vector<double> of_rank(int rank, int64_t elements) {
  return to_values(
      hashed_tensor("gradient", {elements}, 1.0, 0.0, static_cast<uint64_t>(rank) + 1));
}

// Every value is as near to the exact sum of the ranks' as `roundings` roundings allow.
void expect_sum(const Tensor& found, const std::vector<std::vector<double>>& of_ranks,
                double roundings) {
  const std::vector<double> values = to_values(found);
  const double share = std::pow(1.0 + kRounding, roundings) - 1.0;
  for (size_t i = 0; i < values.size(); ++i) {
    double exact = 0.0, absolute = 0.0;
    for (const auto& rank : of_ranks) exact += rank[i], absolute += std::abs(rank[i]);
    ASSERT_LE(std::abs(values[i] - exact), share * absolute) << i;
  }
}

TEST(MpiBf16, SumsAreWithinTheirBoundAndTheSameOnEveryRank) {
  Communicator& ranks = mpi_ranks();
  for (const int64_t elements : {5000, 500001}) {  // gathered and added in order; reduced by MPI
    std::vector<std::vector<double>> rounded;
    for (int rank = 0; rank < ranks.size(); ++rank) {
      rounded.push_back(to_values(
          to_dtype(from_values<double>({elements}, of_rank(rank, elements)), DType::bf16)));
    }
    const Tensor x = to_dtype(
        from_values<double>({elements}, rounded[static_cast<size_t>(ranks.rank())]), DType::bf16);
    ranks.all_reduce(x);
    expect_sum(x, rounded, elements == 5000 ? 1.001 : ranks.size() - 1);
    Tensor first = clone(x);
    ranks.broadcast(first, 0);
    EXPECT_EQ(to_values(x), to_values(first)) << elements;
  }
}

TEST(MpiBf16, GradientsAreWithinTheirBound) {
  Communicator &ranks = mpi_ranks(), &lane = ranks.lane(2);
  const int64_t sizes[] = {3000, 60000, 7};
  std::vector<Var> parameters;
  for (const int64_t size : sizes) parameters.push_back(Var::leaf(zeros({size})));
  autograd::GradientReducer reducer(
      parameters, lane, {.first_bucket_bytes = 1000, .bucket_bytes = 70000, .in_bf16 = true});
  lane.measure_traffic();
  reducer.arm();
  {
    autograd::Tape tape;
    for (size_t i = 0; i < 3; ++i) {
      const Var y = autograd::scale(parameters[i], 1.0);
      tape.backward(y, to_dtype(from_values<double>({sizes[i]}, of_rank(ranks.rank(), sizes[i])),
                                DType::f32));
    }
  }
  reducer.finish();
  EXPECT_EQ(lane.traffic().messages, 3);
  EXPECT_EQ(lane.traffic().bytes, 2 * (3000 + 60000 + 7));
  for (size_t i = 0; i < 3; ++i) {
    std::vector<std::vector<double>> all;
    for (int rank = 0; rank < ranks.size(); ++rank) all.push_back(of_rank(rank, sizes[i]));
    EXPECT_EQ(parameters[i].grad().dtype(), DType::f32);
    expect_sum(parameters[i].grad(), all, ranks.size() + 0.001);
  }
}

TEST(MpiTraffic, CountsAndTimesTheMessagesOfALane) {
  Communicator &ranks = mpi_ranks(), &lane = ranks.lane(1);
  ranks.lane(2).measure_traffic();
  lane.measure_traffic();
  const auto begin = std::chrono::steady_clock::now();
  const Tensor a = full({100000}, 1.0), b = full({10}, 1.0, DType::f64);
  const Ticket first = lane.start_all_reduce(a), second = lane.start_all_reduce(b);
  lane.join(first);
  lane.join(second);
  Tensor all({ranks.size(), 10}, DType::f64);
  lane.all_gather(b, all);
  lane.broadcast(all, 0);
  const Traffic traffic = lane.traffic();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(traffic.messages, 4);
  EXPECT_EQ(traffic.bytes, 400000 + 80 + 80 + 80 * ranks.size());
  EXPECT_GT(traffic.under_way, 0.0);
  EXPECT_LE(traffic.under_way, passed.count());
  EXPECT_GT(traffic.waited, 0.0);
  EXPECT_LE(traffic.waited, passed.count());
  EXPECT_EQ(ranks.lane(2).traffic().messages, 0);
  lane.measure_traffic();
  EXPECT_EQ(lane.traffic().messages, 0);
}

}  // namespace
}  // namespace engine
