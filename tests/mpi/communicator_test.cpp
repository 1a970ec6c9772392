// The MPI communicator on as many ranks as mpirun has started.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

#include "engine/tensor_ops.h"
#include "tests/mpi/ranks.h"
#include "tests/support/error_of.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::error_of;
using test_support::hashed_tensor;

// Values of many magnitudes, so that the order of additions shows in the bits.
Tensor of_rank(int rank, int64_t elements, DType dtype) {
  Tensor x = hashed_tensor("gradient", {elements}, 1.0, 0.0, static_cast<uint64_t>(rank) + 1);
  for (int64_t i = 0; i < elements; ++i) x.data<double>()[i] *= std::pow(2.0, i % 20);
  return to_dtype(x, dtype);
}

Tensor filled(int64_t elements, int value, DType dtype) {
  if (dtype != DType::u8) return full({elements}, value, dtype);
  Tensor bytes({elements}, dtype);
  std::fill_n(bytes.data<uint8_t>(), elements, static_cast<uint8_t>(value));
  return bytes;
}

void expect_filled(const Tensor& x, int value) {
  const std::vector<double> expected(static_cast<size_t>(x.elements()), value);
  if (x.dtype() != DType::u8) {
    EXPECT_EQ(to_values(x), expected) << x;
    return;
  }
  const uint8_t* bytes = x.data<uint8_t>();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes)) << x;
}

std::vector<double> sum_in_order(int64_t elements, DType dtype) {
  std::vector<double> sums = to_values(of_rank(0, elements, dtype));
  for (int rank = 1; rank < mpi_ranks().size(); ++rank) {
    const std::vector<double> more = to_values(of_rank(rank, elements, dtype));
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] += more[i];
      if (dtype == DType::f32) sums[i] = static_cast<float>(sums[i]);
    }
  }
  return sums;
}

TEST(Mpi, SumsOfFewFloatsAreTakenInTheOrderOfRanks) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = of_rank(mpi_ranks().rank(), 5000, dtype);
    mpi_ranks().all_reduce(x);
    EXPECT_EQ(to_values(x), sum_in_order(5000, dtype)) << dtype;
  }
}

// More than any of the algorithms of MPI takes in one piece.
TEST(Mpi, LargeSumsHaveTheSameBitsOnEveryRankAndInEveryCall) {
  Communicator& ranks = mpi_ranks();
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t elements : {20001, 500000}) {
      const Tensor x = of_rank(ranks.rank(), elements, dtype), again = clone(x);
      ranks.all_reduce(x);
      ranks.all_reduce(again);
      const std::vector<double> found = to_values(x), exact = sum_in_order(elements, dtype);
      EXPECT_EQ(found, to_values(again));
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_NEAR(found[i], exact[i], dtype == DType::f32 ? 1.0 : 1e-9) << i;
      }
      Tensor first = clone(x);
      ranks.broadcast(first, 0);
      EXPECT_EQ(found, to_values(first)) << dtype << ' ' << elements;
    }
  }
}

TEST(Mpi, SumsOfIntegers) {
  Communicator& ranks = mpi_ranks();
  const int size = ranks.size();
  for (const DType dtype : {DType::i64, DType::u8}) {
    for (const int64_t elements : {3, 100000}) {
      const Tensor x = filled(elements, ranks.rank() + 1, dtype);
      ranks.all_reduce(x);
      expect_filled(x, size * (size + 1) / 2);
    }
  }
}

TEST(Mpi, BroadcastAndAllGather) {
  Communicator& ranks = mpi_ranks();
  for (const DType dtype : {DType::f32, DType::f64, DType::i64, DType::u8}) {
    for (int root = 0; root < ranks.size(); ++root) {
      Tensor x = filled(7, ranks.rank(), dtype);
      ranks.broadcast(x, root);
      expect_filled(x, root);
    }
    Tensor whole({ranks.size(), 2}, dtype);
    ranks.all_gather(filled(2, ranks.rank(), dtype), whole);
    for (int rank = 0; rank < ranks.size(); ++rank) expect_filled(whole.rows(rank, 1), rank);
  }
}

TEST(Mpi, SharesBytes) {
  std::array<unsigned char, 5> bytes{};
  if (mpi_ranks().rank() == 0) bytes = {1, 2, 3, 250, 5};
  share_through(mpi_ranks())(std::as_writable_bytes(std::span(bytes)));
  EXPECT_EQ(bytes, (std::array<unsigned char, 5>{1, 2, 3, 250, 5}));
}

// Sums go on while the rank computes, and a lane's message does not wait for another lane's.
TEST(Mpi, LanesAndTickets) {
  Communicator& ranks = mpi_ranks();
  const double size = ranks.size();
  const Tensor a = full({2000000}, 1.0), b = full({10}, 2.0), c = full({10}, 3.0);
  // In another order on odd ranks.
  Communicator &one = ranks.lane(1), &two = ranks.lane(2);
  const bool is_odd = ranks.rank() % 2 == 1;
  if (is_odd) two.all_reduce(c);
  const Ticket first = one.start_all_reduce(a), second = one.start_all_reduce(b);
  if (!is_odd) two.all_reduce(c);
  EXPECT_EQ(to_values(c), std::vector<double>(10, 3.0 * size));
  one.join(second);
  EXPECT_EQ(to_values(b), std::vector<double>(10, 2.0 * size));
  EXPECT_EQ(to_values(a), std::vector<double>(2000000, size));
  one.join(first);  // again is no harm
}

TEST(Mpi, TwoThreadsUseALaneEach) {
  Communicator& ranks = mpi_ranks();
  const auto chain = [&](int lane) {
    for (int i = 0; i < 200; ++i) {
      const Tensor x = full({8}, lane + i);
      ranks.lane(lane).all_reduce(x);
      ASSERT_EQ(to_values(x), std::vector<double>(8, (lane + i) * ranks.size()));
    }
  };
  std::thread other(chain, 1);
  chain(0);
  other.join();
}

// A rank that does something else for long, such as to wait for its images, is not lost.
TEST(Mpi, WaitsForASlowRank) {
  Communicator& ranks = mpi_ranks();
  if (ranks.rank() == 0) std::this_thread::sleep_for(1.5 * kMpiPatience);
  const Tensor x = full({8}, 1.0);
  ranks.all_reduce(x);
  EXPECT_EQ(to_values(x), std::vector<double>(8, ranks.size()));
}

TEST(Mpi, RefusesWhatMpiCannotSend) {
  Communicator& ranks = mpi_ranks();
  EXPECT_NE(error_of([&] { ranks.all_reduce(Tensor({2}, DType::f16)); }).find("bf16, i64 or u8"),
            std::string::npos);
  Tensor whole({3});
  EXPECT_NE(error_of([&] { ranks.all_gather(Tensor({2}), whole); }).find("does not fill"),
            std::string::npos);
  EXPECT_NE(error_of([] { make_mpi_communicator(1); }).find("only once"), std::string::npos);
  ranks.barrier();
  ranks.check_health();
}

}  // namespace
}  // namespace engine
