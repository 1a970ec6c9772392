// Gradients of all ranks are added up while the sweep runs.
#include "autograd/reducer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "engine/tensor_ops.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/thread_ranks.h"

namespace autograd {
namespace {

using engine::Communicator;
using test_support::distance;
using test_support::error_of;
using test_support::hashed_tensor;
using test_support::on_ranks;

constexpr int kLayers = 6;
constexpr int64_t kWidth = 5;
constexpr int kReducerLane = 2;

struct Network {
  std::vector<Var> parameters;  // weight and bias of each layer, then one that is never used

  Network() {
    for (int i = 0; i < kLayers; ++i) {
      const std::string layer = std::to_string(i);
      parameters.push_back(Var::leaf(hashed_tensor("weight" + layer, {kWidth, kWidth})));
      parameters.push_back(Var::leaf(hashed_tensor("bias" + layer, {kWidth})));
    }
    parameters.push_back(Var::leaf(hashed_tensor("unused", {3})));
  }

  // The gradients of a loss of these rows. The first layer is used twice.
  void sweep(const Tensor& rows) { sweep(Var(rows)); }
  void sweep(const Var& rows) {
    Tape tape;
    Var y = linear(rows, parameters[0], parameters[1]);
    for (size_t i = 0; i < kLayers; ++i) {
      y = relu(linear(y, parameters[2 * i], parameters[2 * i + 1]));
    }
    tape.backward(y, engine::full(y.shape(), 1.0, DType::f64));
  }

  void clear() {
    for (Var& parameter : parameters) parameter.clear_grad();
  }
};

Tensor batch(int number) {
  return hashed_tensor("batch", {12, kWidth}, 1.0, 0.2, static_cast<uint64_t>(number));
}

// Rows of a batch in unequal shares.
Tensor share_of(const Tensor& rows, int rank, int size) {
  const int64_t begin = rank == 0 ? 0 : 12 - 2 * (size - rank);
  const int64_t end = 12 - 2 * (size - rank - 1);
  return rows.rows(begin, end - begin);
}

// Buckets of one parameter, of a few, of unlike sizes, and a single one.
const std::vector<ReducerOptions> kOptions = {
    {.first_bucket_bytes = 1, .bucket_bytes = 1},
    {.first_bucket_bytes = 200, .bucket_bytes = 500},
    {.first_bucket_bytes = 500, .bucket_bytes = 200},
    {},
};

TEST(Reducer, GradientsAreThoseOfTheWholeBatch) {
  Network whole;
  std::vector<std::vector<Tensor>> expected;
  for (int step = 0; step < 3; ++step) {
    whole.clear();
    whole.sweep(batch(step));
    for (expected.emplace_back(); const Var& p : whole.parameters) {
      expected.back().push_back(p.grad());
    }
  }
  for (const int size : {1, 2, 3, 4}) {
    for (const ReducerOptions& options : kOptions) {
      on_ranks(size, [&](Communicator& ranks) {
        Network own;
        GradientReducer reducer(own.parameters, ranks.lane(kReducerLane), options);
        for (int step = 0; step < 3; ++step) {
          own.clear();
          reducer.arm();
          own.sweep(share_of(batch(step), ranks.rank(), size));
          reducer.finish();
          for (size_t i = 0; i + 1 < own.parameters.size(); ++i) {
            const Tensor& exact = expected[static_cast<size_t>(step)][i];
            EXPECT_LE(distance(own.parameters[i].grad(), exact), 1e-12) << size << ' ' << i;
          }
          EXPECT_EQ(engine::to_values(own.parameters.back().grad()), std::vector<double>(3, 0.0));
        }
      });
    }
  }
}

TEST(Reducer, SumsBeginWhileTheSweepRuns) {
  on_ranks(2, [](Communicator& ranks) {
    Communicator& lane = ranks.lane(kReducerLane);
    Network own;
    own.parameters.pop_back();  // the first bucket would wait for it
    GradientReducer reducer(own.parameters, lane, {.first_bucket_bytes = 1, .bucket_bytes = 1});
    Var input = Var::leaf(batch(0));
    lane.measure_traffic();
    int64_t before_the_first_layer = 0;
    input.on_ready([&] { before_the_first_layer = lane.traffic().messages; });
    reducer.arm();
    own.sweep(input);
    EXPECT_EQ(before_the_first_layer, 2 * kLayers - 2);
    EXPECT_EQ(lane.traffic().messages, 2 * kLayers);
    reducer.finish();
    EXPECT_EQ(lane.traffic().messages, 2 * kLayers);
  });
}

// The sum over ranks of the absolute values of their gradients.
std::vector<double> absolute_sums(const Tensor& rows, int ranks, size_t parameter) {
  std::vector<double> sums;
  for (int rank = 0; rank < ranks; ++rank) {
    Network own;
    own.sweep(share_of(rows, rank, ranks));
    const std::vector<double> values = engine::to_values(own.parameters[parameter].grad());
    sums.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) sums[i] += std::abs(values[i]);
  }
  return sums;
}

// The sums are as near to the exact ones as ReducerOptions says, farther from them than f64's, and
// travel in a quarter of f64's bytes.
TEST(Reducer, GradientsAddedUpAsBf16AreWithinTheirBound) {
  Network whole;
  whole.sweep(batch(0));
  for (const int size : {2, 3, 4}) {
    on_ranks(size, [&](Communicator& ranks) {
      Communicator& lane = ranks.lane(kReducerLane);
      Network own;
      GradientReducer reducer(own.parameters, lane,
                              {.first_bucket_bytes = 60, .bucket_bytes = 130, .in_bf16 = true});
      lane.measure_traffic();
      reducer.arm();
      own.sweep(share_of(batch(0), ranks.rank(), size));
      reducer.finish();
      EXPECT_EQ(lane.traffic().bytes, 2 * (kLayers * (kWidth * kWidth + kWidth) + 3));
      EXPECT_EQ(lane.traffic().messages, 4);
      const double share = std::pow(1.0 + std::pow(2.0, -8), size) - 1.0;
      for (size_t p = 0; p + 1 < own.parameters.size(); ++p) {
        const std::vector<double> found = engine::to_values(own.parameters[p].grad()),
                                  exact = engine::to_values(whole.parameters[p].grad()),
                                  most = absolute_sums(batch(0), size, p);
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_LE(std::abs(found[i] - exact[i]), share * most[i]) << p << ' ' << i;
        }
      }
      EXPECT_GT(distance(own.parameters[0].grad(), whole.parameters[0].grad()), 1e-5);
    });
  }
}

// Two micro-batches: only the second sweep is reduced, with the sum of both.
TEST(Reducer, AccumulatedGradientsAreReducedOnce) {
  Network whole;
  whole.sweep(batch(0));
  whole.sweep(batch(1));
  on_ranks(3, [&](Communicator& ranks) {
    Network own;
    GradientReducer reducer(own.parameters, ranks.lane(kReducerLane), kOptions[1]);
    own.sweep(share_of(batch(0), ranks.rank(), 3));
    reducer.arm();
    own.sweep(share_of(batch(1), ranks.rank(), 3));
    reducer.finish();
    for (size_t i = 0; i + 1 < own.parameters.size(); ++i) {
      EXPECT_LE(distance(own.parameters[i].grad(), whole.parameters[i].grad()), 1e-12) << i;
    }
  });
}

// If a parameter gets no gradient on a rank, that rank contributes zeros.
TEST(Reducer, ARankWithoutAGradientCountsAsZero) {
  on_ranks(2, [](Communicator& ranks) {
    const Var a = Var::leaf(engine::full({2}, 1.0, DType::f64));
    const Var b = Var::leaf(engine::full({3}, 1.0, DType::f64));
    GradientReducer reducer({a, b}, ranks.lane(kReducerLane), kOptions[0]);
    reducer.arm();
    Tape tape;
    const Var y = scale(ranks.rank() == 0 ? a : b, 4.0);
    tape.backward(y, engine::full(y.shape(), 1.0, DType::f64));
    reducer.finish();
    EXPECT_EQ(engine::to_values(a.grad()), std::vector<double>(2, 4.0));
    EXPECT_EQ(engine::to_values(b.grad()), std::vector<double>(3, 4.0));
  });
}

TEST(Reducer, RanksThatAddUpInOtherTypesAreRefused) {
  const auto errors = test_support::errors_of_ranks(2, [](Communicator& ranks) {
    const Var a = Var::leaf(engine::zeros({2}, DType::f64));
    GradientReducer reducer({a}, ranks, {.in_bf16 = ranks.rank() == 1});
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("same settings"), std::string::npos) << error;
  }
}

TEST(Reducer, RanksWithOtherParametersAreRefused) {
  const auto errors = test_support::errors_of_ranks(3, [](Communicator& ranks) {
    const Var a = Var::leaf(engine::zeros({ranks.rank() == 2 ? 3 : 2}, DType::f64));
    GradientReducer reducer({a}, ranks);
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 2 trains other parameters"), std::string::npos) << error;
  }
}

TEST(Reducer, IsArmedForOneSweep) {
  on_ranks(1, [](Communicator& ranks) {
    Network own;
    GradientReducer reducer(own.parameters, ranks);
    EXPECT_NE(error_of([&] { reducer.finish(); }).find("before finish()"), std::string::npos);
    reducer.arm();
    EXPECT_NE(error_of([&] { reducer.arm(); }).find("must follow"), std::string::npos);
    own.sweep(batch(0));
    EXPECT_NE(error_of([&] { own.sweep(batch(0)); }).find("one sweep"), std::string::npos);
    reducer.finish();
  });
}

}  // namespace
}  // namespace autograd
