// The communicator's rules, on ranks that are threads: tests of what uses it rest on these.
#include "engine/ranks/communicator.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "tests/support/thread_ranks.h"

namespace engine {
namespace {

using test_support::errors_of_ranks;
using test_support::on_ranks;

TEST(Communicator, CollectivesOfEveryType) {
  for (const int size : {1, 2, 4}) {
    on_ranks(size, [&](Communicator& ranks) {
      for (const DType dtype : {DType::f32, DType::f64, DType::i64}) {
        const Tensor x = full({6}, ranks.rank() + 1, dtype);
        ranks.all_reduce(x);
        EXPECT_EQ(to_values(x), std::vector<double>(6, size * (size + 1) / 2));
        Tensor y = full({2}, ranks.rank(), dtype), whole({size, 2}, dtype);
        ranks.all_gather(y, whole);
        EXPECT_EQ(to_values(whole.rows(size - 1, 1)), std::vector<double>(2, size - 1));
        ranks.broadcast(y, size - 1);
        EXPECT_EQ(to_values(y), std::vector<double>(2, size - 1));
      }
      ranks.barrier();
    });
  }
}

TEST(Communicator, TicketsAndLanes) {
  on_ranks(3, [](Communicator& ranks) {
    const Tensor a = full({1000}, 1.0), b = full({10}, 2.0), c = full({10}, 3.0);
    Communicator &one = ranks.lane(1), &two = ranks.lane(2);
    if (ranks.rank() == 1) two.all_reduce(c);
    one.start_all_reduce(a);
    const Ticket second = one.start_all_reduce(b);
    if (ranks.rank() != 1) two.all_reduce(c);
    one.join(second);
    EXPECT_EQ(to_values(a), std::vector<double>(1000, 3.0));
    EXPECT_EQ(to_values(b), std::vector<double>(10, 6.0));
    EXPECT_EQ(to_values(c), std::vector<double>(10, 9.0));
  });
}

TEST(Communicator, RanksWhoseCollectivesDifferAreTold) {
  for (const std::string& error : errors_of_ranks(2, [](Communicator& ranks) {
         ranks.rank() == 0 ? ranks.all_reduce(zeros({4})) : ranks.all_reduce(zeros({5}));
       })) {
    EXPECT_NE(error.find("[4]"), std::string::npos) << error;
    EXPECT_NE(error.find("[5]"), std::string::npos) << error;
  }
}

TEST(Communicator, ARankThatThrowsEndsTheOthers) {
  const auto errors = errors_of_ranks(3, [](Communicator& ranks) {
    ranks.barrier();
    require(ranks.rank() != 1, "the disk is full");
    ranks.lane(1).start_all_reduce(zeros({4}));
    ranks.barrier();
  });
  EXPECT_EQ(errors[1], "the disk is full");
  EXPECT_NE(errors[0].find("aborted"), std::string::npos) << errors[0];
  EXPECT_NE(errors[2].find("aborted"), std::string::npos) << errors[2];
}

}  // namespace
}  // namespace engine
