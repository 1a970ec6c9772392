// Synchronised batch normalisation and the reduction of gradients, on the ranks of MPI.
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "autograd/reducer.h"
#include "engine/tensor_ops.h"
#include "tests/mpi/ranks.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace autograd {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

constexpr int kLayers = 8;
constexpr int64_t kWidth = 40, kRows = 11;

// Linear layers, each with batch normalisation and ReLU.
struct Network {
  std::vector<Var> parameters;

  Network() {
    for (int i = 0; i < kLayers; ++i) {
      const std::string layer = std::to_string(i);
      parameters.push_back(Var::leaf(hashed_tensor("weight" + layer, {kWidth, kWidth})));
      parameters.push_back(Var::leaf(hashed_tensor("scale" + layer, {kWidth}, 0.5, 1.0)));
      parameters.push_back(Var::leaf(hashed_tensor("shift" + layer, {kWidth})));
    }
  }

  // Gradients of sum(y * r) over these rows.
  void sweep(int64_t begin, int64_t end, engine::Communicator* ranks) {
    Tape tape;
    Var x(hashed_tensor("x", {kRows, kWidth}).rows(begin, end - begin));
    for (size_t i = 0; i < kLayers; ++i) {
      x = batch_norm(linear(x, parameters[3 * i], Var()), Var(),
                     {.weight = parameters[3 * i + 1],
                      .bias = parameters[3 * i + 2],
                      .running_mean = engine::zeros({kWidth}, DType::f64),
                      .running_var = engine::full({kWidth}, 1.0, DType::f64),
                      .relu = true,
                      .ranks = ranks});
    }
    tape.backward(x, hashed_tensor("r", {kRows, kWidth}).rows(begin, end - begin));
  }
};

TEST(MpiTraining, GradientsAreThoseOfOneRankAndHaveTheSameBitsInTwoRuns) {
  Network whole;
  whole.sweep(0, kRows, nullptr);
  engine::Communicator& ranks = mpi_ranks();
  // Unequal shares: the last rank has what is left.
  const int64_t begin = 2 * ranks.rank();
  const int64_t end = ranks.rank() + 1 == ranks.size() ? kRows : begin + 2;
  std::vector<std::vector<double>> first;
  for (int run = 0; run < 2; ++run) {
    Network own;
    GradientReducer reducer(own.parameters, ranks.lane(2),
                            {.first_bucket_bytes = 1000, .bucket_bytes = 30000});
    reducer.arm();
    own.sweep(begin, end, &ranks.lane(1));
    reducer.finish();
    for (size_t i = 0; i < own.parameters.size(); ++i) {
      const Tensor& found = own.parameters[i].grad();
      EXPECT_LE(distance(found, whole.parameters[i].grad()), 1e-11) << i;
      if (run == 0) first.push_back(engine::to_values(found));
      EXPECT_EQ(engine::to_values(found), first[i]) << i;
    }
  }
}

}  // namespace
}  // namespace autograd
