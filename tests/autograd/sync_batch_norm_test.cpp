// Batch normalisation of a batch that is spread over ranks equals that of the whole batch.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "autograd/ops.h"
#include "engine/on_two_threads.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/thread_ranks.h"

namespace autograd {
namespace {

using engine::Communicator;
using test_support::distance;
using test_support::hashed_tensor;
using test_support::on_ranks;

constexpr int64_t kImages = 7, kChannels = 5, kParts = 2;

// First image of each rank and the end: unequal shares, as of a batch that does not divide.
int64_t first_image(int rank, int ranks) { return rank == 0 ? 0 : kImages - 2 * (ranks - rank); }

// The images first .. end-1 of each part. A batch is [parts * images, ...].
Tensor share_of(const Tensor& batch, int rank, int ranks) {
  const int64_t images = batch.shape()[0] / kParts;
  const int64_t first = first_image(rank, ranks), count = first_image(rank + 1, ranks) - first;
  std::vector<Tensor> parts;
  for (int64_t part = 0; part < kParts; ++part) {
    parts.push_back(batch.rows(part * images + first, count));
  }
  return engine::concatenate_rows(parts);
}

struct Case {
  bool relu, residual;
  Layout layout = Layout::plain;
};

struct Results {
  Tensor y, dx, dresidual, dweight, dbias, running_mean, running_var;
};

// One forward and backward pass over a share of the batch.
Results run(const Case& c, int rank, int ranks, Communicator* communicator) {
  const Shape shape{kParts * kImages, kChannels, 3, 2};
  const auto share = [&](const char* name, double shift) {
    return engine::to_layout(share_of(hashed_tensor(name, shape, 1.0, shift), rank, ranks),
                             c.layout);
  };
  const Var x = Var::leaf(share("x", 0.4));
  const Var residual = c.residual ? Var::leaf(share("residual", 0.0)) : Var();
  const BatchNorm norm{.weight = Var::leaf(hashed_tensor("weight", {kChannels}, 0.5, 1.0)),
                       .bias = Var::leaf(hashed_tensor("bias", {kChannels})),
                       .running_mean = engine::zeros({kChannels}, DType::f64),
                       .running_var = engine::full({kChannels}, 1.0, DType::f64),
                       .parts = kParts,
                       .relu = c.relu,
                       .ranks = communicator};
  Tape tape;
  const Var y = batch_norm(x, residual, norm);
  const Tensor value = engine::clone(y.value());
  tape.backward(y, share("dy", 0.1));
  return {value,
          x.grad(),
          c.residual ? residual.grad() : Tensor(),
          norm.weight.grad(),
          norm.bias.grad(),
          norm.running_mean,
          norm.running_var};
}

constexpr double kTolerance = 1e-12;

TEST(SyncBatchNorm, AnyNumberOfRanksGivesTheResultsOfOne) {
  for (const Case& c :
       {Case{false, false}, Case{true, false}, Case{true, true}, Case{false, true, Layout::nhwc}}) {
    const Results whole = run(c, 0, 1, nullptr);
    for (const int size : {1, 2, 3, 4}) {
      on_ranks(size, [&](Communicator& ranks) {
        const Results own = run(c, ranks.rank(), size, &ranks);
        const auto expect_share = [&](const Tensor& found, const Tensor& batch) {
          const Tensor plain = engine::to_layout(batch, Layout::plain);
          EXPECT_LE(distance(found, share_of(plain, ranks.rank(), size)), kTolerance) << size;
        };
        expect_share(own.y, whole.y);
        expect_share(own.dx, whole.dx);
        if (c.residual) expect_share(own.dresidual, whole.dresidual);
        // Parameters: the ranks' gradients add up, and running estimates agree.
        ranks.all_reduce(own.dweight);
        ranks.all_reduce(own.dbias);
        EXPECT_LE(distance(own.dweight, whole.dweight), kTolerance) << size;
        EXPECT_LE(distance(own.dbias, whole.dbias), kTolerance) << size;
        EXPECT_LE(distance(own.running_mean, whole.running_mean), kTolerance) << size;
        EXPECT_LE(distance(own.running_var, whole.running_var), kTolerance) << size;
      });
    }
  }
}

// A single rank takes the fused kernels, as without a communicator.
TEST(SyncBatchNorm, OneRankGivesTheSameBitsAsNone) {
  const Case c{true, true};
  const Results without = run(c, 0, 1, nullptr);
  on_ranks(1, [&](Communicator& ranks) {
    const Results with = run(c, 0, 1, &ranks);
    EXPECT_EQ(engine::to_values(with.y), engine::to_values(without.y));
    EXPECT_EQ(engine::to_values(with.dx), engine::to_values(without.dx));
  });
}

TEST(SyncBatchNorm, RanksAgreeInEveryBit) {
  const auto statistics = [](int size) {
    std::vector<std::vector<double>> found(static_cast<size_t>(size));
    on_ranks(size, [&](Communicator& ranks) {
      const Results own = run({true, false}, ranks.rank(), size, &ranks);
      std::vector<double> values = engine::to_values(own.running_mean);
      for (const double v : engine::to_values(own.running_var)) values.push_back(v);
      found[static_cast<size_t>(ranks.rank())] = values;
    });
    return found;
  };
  const auto first = statistics(3), second = statistics(3);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first[0], first[1]);
  EXPECT_EQ(first[0], first[2]);
}

// The momentum branch: nothing is recorded, and y is written over x.
TEST(SyncBatchNorm, InPlaceWithoutATape) {
  const Tensor x = hashed_tensor("x", {6, 3});
  const auto normalised = [&](Tensor share, Communicator* ranks) {
    const BatchNorm norm{.weight = Var(engine::full({3}, 2.0, DType::f64)),
                         .bias = Var(engine::zeros({3}, DType::f64)),
                         .running_mean = engine::zeros({3}, DType::f64),
                         .running_var = engine::full({3}, 1.0, DType::f64),
                         .ranks = ranks};
    return batch_norm(Var(std::move(share)), Var(), norm).value();
  };
  const Tensor whole = normalised(engine::clone(x), nullptr);
  on_ranks(3, [&](Communicator& ranks) {
    // A single image per rank is enough if there are several ranks.
    const int64_t first = ranks.rank() == 2 ? 2 : ranks.rank(), count = ranks.rank() == 2 ? 4 : 1;
    Tensor share = engine::clone(x.rows(first, count));
    const engine::Buffer* const memory = share.buffer();
    const Tensor y = normalised(std::move(share), &ranks);
    EXPECT_EQ(y.buffer(), memory);
    EXPECT_LE(distance(y, whole.rows(first, count)), kTolerance);
  });
}

// d(loss of all ranks) / d(images of each rank) by central differences.
TEST(SyncBatchNorm, GradientsAreThoseOfTheLossOfAllRanks) {
  const Tensor x = hashed_tensor("x", {5, 2, 2, 1}), r = hashed_tensor("r", {5, 2, 2, 1});
  const auto begin = [](int rank) { return rank == 0 ? 0 : rank == 1 ? 2 : 5; };
  const auto share = [&](const Tensor& t, int rank) {
    return engine::clone(t.rows(begin(rank), begin(rank + 1) - begin(rank)));
  };
  const auto normalised = [&](Communicator& ranks, const Var& images) {
    return batch_norm(images, Var(),
                      {.weight = Var(engine::full({2}, 1.5, DType::f64)),
                       .bias = Var(engine::full({2}, 0.3, DType::f64)),
                       .running_mean = engine::zeros({2}, DType::f64),
                       .running_var = engine::full({2}, 1.0, DType::f64),
                       .ranks = &ranks});
  };
  const auto loss_of = [&](const Tensor& images) {
    std::array<double, 2> losses{};
    on_ranks(2, [&](Communicator& ranks) {
      const Var y = normalised(ranks, Var(share(images, ranks.rank())));
      const std::vector<double> a = engine::to_values(y.value());
      const std::vector<double> b = engine::to_values(share(r, ranks.rank()));
      for (size_t i = 0; i < a.size(); ++i)
        losses[static_cast<size_t>(ranks.rank())] += a[i] * b[i];
    });
    return losses[0] + losses[1];
  };
  std::array<Tensor, 2> gradients;
  on_ranks(2, [&](Communicator& ranks) {
    const Var images = Var::leaf(share(x, ranks.rank()));
    Tape tape;
    tape.backward(normalised(ranks, images), share(r, ranks.rank()));
    gradients[static_cast<size_t>(ranks.rank())] = images.grad();
  });
  const std::vector<double> analytic =
      engine::to_values(engine::concatenate_rows({gradients[0], gradients[1]}));
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < analytic.size(); ++i) {
    Tensor above = engine::clone(x), below = engine::clone(x);
    above.data<double>()[i] += kStep;
    below.data<double>()[i] -= kStep;
    EXPECT_NEAR(analytic[i], (loss_of(above) - loss_of(below)) / (2 * kStep), 1e-8) << i;
  }
}

// Two chains of layers at the same time on each rank, with messages of the same shape: a lane each
// keeps them apart, whatever the order in which the threads come.
TEST(SyncBatchNorm, BranchesOnTwoThreadsUseALaneEach) {
  const auto chain = [](Communicator& lane, double shift, int rank) {
    Var y(hashed_tensor("x", {3, 4, 2, 2}, 1.0, shift, static_cast<uint64_t>(rank)));
    for (int i = 0; i < 20; ++i) {
      y = batch_norm(std::move(y), Var(),
                     {.weight = Var(engine::full({4}, 1.0 + shift, DType::f64)),
                      .bias = Var(engine::full({4}, shift, DType::f64)),
                      .running_mean = engine::zeros({4}, DType::f64),
                      .running_var = engine::full({4}, 1.0, DType::f64),
                      .relu = true,
                      .ranks = &lane});
    }
    return engine::to_values(y.value());
  };
  on_ranks(3, [&](Communicator& ranks) {
    const std::vector<double> online = chain(ranks.lane(0), 0.1, ranks.rank());
    const std::vector<double> momentum = chain(ranks.lane(0), 0.7, ranks.rank());
    omp_set_num_threads(2);
    std::vector<double> first, second;
    engine::on_two_threads(
        engine::kCpu, [&] { first = chain(ranks.lane(0), 0.1, ranks.rank()); },
        [&] { second = chain(ranks.lane(1), 0.7, ranks.rank()); });
    EXPECT_EQ(first, online);
    EXPECT_EQ(second, momentum);
  });
}

}  // namespace
}  // namespace autograd
