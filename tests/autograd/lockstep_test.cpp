// Two pieces of work in lockstep: the same statistics as one after the other, in fewer messages.
#include "autograd/lockstep.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/tensor_ops.h"
#include "tests/support/hashed.h"

namespace autograd {
namespace {

using test_support::hashed_tensor;

// Two ranks that have the same images, seen by one of them.
class Mirror : public engine::Communicator {
 public:
  Mirror() : Communicator(0, 2) {}

  engine::Ticket start_all_reduce(const Tensor&) override { engine::fail("not needed"); }
  void join(engine::Ticket) override {}
  void broadcast(Tensor&, int) override {}
  void all_gather(const Tensor& part, Tensor& whole) override {
    ++messages;
    for (int64_t rank = 0; rank < 2; ++rank) {
      Tensor row = whole.rows(rank, 1).reshape(part.shape());
      engine::copy_into(part, row);
    }
  }
  void barrier() override {}
  void check_health() override {}
  void finish() override {}
  void abort() noexcept override {}

  int messages = 0;
};

// The statistics of `layers` tensors in turn.
struct Branch {
  std::string name;
  int layers;
  int64_t images = 4;
  Mirror lane{};
  std::vector<RankStatistics> found{};

  void run() {
    for (int layer = 0; layer < layers; ++layer) {
      const Tensor x = hashed_tensor(name + std::to_string(layer), {images, 3 + layer, 2, 2});
      found.push_back(statistics_of_ranks(x, 2, lane));
    }
  }
};

void expect_same(const Branch& found, const Branch& expected) {
  ASSERT_EQ(found.found.size(), expected.found.size());
  for (size_t i = 0; i < expected.found.size(); ++i) {
    EXPECT_EQ(engine::to_values(found.found[i].statistics),
              engine::to_values(expected.found[i].statistics));
    EXPECT_EQ(engine::to_values(found.found[i].count), engine::to_values(expected.found[i].count));
  }
}

// Runs both branches in lockstep, compares them with the same ones alone, and returns how many
// messages each lane had.
std::pair<int, int> messages_of(Branch&& first, Branch&& second) {
  Branch first_alone{first.name, first.layers, first.images};
  Branch second_alone{second.name, second.layers, second.images};
  first_alone.run();
  second_alone.run();
  in_lockstep([&] { first.run(); }, [&] { second.run(); });
  expect_same(first, first_alone);
  expect_same(second, second_alone);
  return {first.lane.messages, second.lane.messages};
}

TEST(Lockstep, EqualBranchesShareEveryMessage) {
  EXPECT_EQ(messages_of({"a", 5}, {"b", 5}), std::pair(5, 0));
}

TEST(Lockstep, ALongerBranchGoesOnAlone) {
  EXPECT_EQ(messages_of({"a", 2}, {"b", 5}), std::pair(2, 3));
  EXPECT_EQ(messages_of({"a", 5}, {"b", 2}), std::pair(5, 0));
  EXPECT_EQ(messages_of({"a", 0}, {"b", 3}), std::pair(0, 3));
}

TEST(Lockstep, OtherShapesDoNotTravelTogether) {
  EXPECT_EQ(messages_of({"a", 3}, {"b", 3, /*images=*/6}), std::pair(3, 3));
}

TEST(Lockstep, OnlyOnePieceRunsAtATime) {
  int inside = 0;
  Mirror lanes[2];
  const auto piece = [&](int index) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(++inside, 1);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      --inside;
      statistics_of_ranks(hashed_tensor("x", {4, 3}), 1, lanes[index]);
    }
  };
  in_lockstep([&] { piece(0); }, [&] { piece(1); });
}

TEST(Lockstep, AFailureOfEitherPieceEndsBoth) {
  for (const bool first_fails : {true, false}) {
    Mirror lane;
    bool ended = false;
    const auto fails = [] { engine::fail("the device is gone"); };
    const auto waits = [&] {
      try {
        for (int i = 0; i < 3; ++i) statistics_of_ranks(hashed_tensor("x", {4, 3}), 1, lane);
      } catch (const engine::Error&) {
        ended = true;
        throw;
      }
    };
    try {
      first_fails ? in_lockstep(fails, waits) : in_lockstep(waits, fails);
      FAIL() << "no error";
    } catch (const engine::Error& error) {
      EXPECT_NE(std::string(error.what()).find("the device is gone"), std::string::npos);
    }
    EXPECT_TRUE(ended);
  }
}

}  // namespace
}  // namespace autograd
