#include "engine/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/error.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::golden;
using test_support::hashed_tensor;

using Block = std::array<uint32_t, 4>;

TEST(Philox, GivesThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DealsTheBlocksOfItsKeyInOrder) {
  Random random(0x1122334455667788, 7, 8, 9);
  for (uint32_t block = 0; block < 3; ++block) {
    const Block expected = philox4x32({block, 7, 8, 9}, {0x55667788, 0x11223344});
    for (const uint32_t word : expected) EXPECT_EQ(random.bits(), word) << "block " << block;
  }
}

TEST(Random, StreamsOfOneSeedDiffer) {
  std::set<uint32_t> first;
  for (uint32_t a = 0; a < 10; ++a) {
    for (uint32_t b = 0; b < 10; ++b) {
      for (uint32_t c = 0; c < 10; ++c) first.insert(Random(1, a, b, c).bits());
    }
  }
  EXPECT_EQ(first.size(), 1000U);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  constexpr int kDraws = 200000;
  Random random(3);
  double uniform = 0.0, normal = 0.0, squares = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(), z = random.normal();
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    uniform += u, normal += z, squares += z * z;
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 5 * 0.2887 / std::sqrt(kDraws));
  EXPECT_NEAR(normal / kDraws, 0.0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0, 5 * std::sqrt(2.0 / kDraws));
}

TEST(Random, UniformFillsItsRangeEvenly) {
  constexpr int kDraws = 100000;
  Random random(5);
  std::array<int, 100> counts{};
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    EXPECT_EQ(u * 0x1p53, std::floor(u * 0x1p53));  // 53 bits, no more
    ++counts[static_cast<size_t>(u * 100)];
  }
  double chi_square = 0.0;
  for (const int count : counts) chi_square += std::pow(count - 1000.0, 2) / 1000.0;
  EXPECT_LT(chi_square, 148.2);  // 99 degrees of freedom, one in a thousand
  for (int i = 0; i < 1000; ++i) {
    const double v = random.uniform(-2.0, 3.0);
    EXPECT_TRUE(v >= -2.0 && v < 3.0);
  }
}

// Kolmogorov-Smirnov: the largest distance between the empirical distribution and the normal one.
TEST(Random, NormalHasItsDistribution) {
  constexpr int kDraws = 100000;
  Random random(6);
  std::vector<double> draws(kDraws);
  for (double& draw : draws) draw = random.normal();
  std::sort(draws.begin(), draws.end());
  double gap = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    const double expected = 0.5 * std::erfc(-draws[static_cast<size_t>(i)] / std::sqrt(2.0));
    gap = std::max(
        {gap, std::abs(expected - i * 1.0 / kDraws), std::abs(expected - (i + 1.0) / kDraws)});
  }
  EXPECT_LT(gap * std::sqrt(kDraws), 1.95);  // one in a thousand
}

TEST(Random, ChanceFollowsItsProbability) {
  constexpr int kDraws = 100000;
  Random random(7);
  int hits = 0;
  for (int i = 0; i < kDraws; ++i) {
    hits += random.chance(0.3);
    EXPECT_FALSE(random.chance(0.0));
    EXPECT_TRUE(random.chance(1.0));
  }
  EXPECT_NEAR(hits, 0.3 * kDraws, 4 * std::sqrt(0.21 * kDraws));
}

// In a range of three quarters of all 32-bit words, the remainder of a division would be twice as
// often in the lowest third as in either of the others.
TEST(Random, BelowHasNoBiasInLargeRanges) {
  constexpr int kDraws = 30000;
  constexpr int64_t kThird = int64_t{1} << 30;
  Random random(8);
  std::array<int, 3> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(random.below(3 * kThird) / kThird)];
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 3, 4 * std::sqrt(kDraws * 2.0 / 9.0));
}

TEST(Random, BelowIsEvenAndRefusesNonsense) {
  constexpr int kDraws = 70000;
  Random random(4);
  std::array<int, 7> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(random.below(7))];
  double chi_square = 0.0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, one in a thousand
  EXPECT_EQ(random.below(1), 0);
  EXPECT_LT(random.below(int64_t{1} << 32), int64_t{1} << 32);
  for (const int64_t count : {int64_t{0}, int64_t{-1}, (int64_t{1} << 32) + 1}) {
    EXPECT_THROW(random.below(count), Error) << count;
  }
}

TEST(Random, HashesNamesAsPublished) {  // the FNV authors' test vectors
  EXPECT_EQ(hash_name(""), 0xCBF29CE484222325);
  EXPECT_EQ(hash_name("a"), 0xAF63DC4C8601EC8C);
  EXPECT_EQ(hash_name("foobar"), 0x85944171F73967E8);
}

// The inputs of the reference results: file and formula must agree bit for bit.
TEST(HashedTensor, HasTheBitsOfTheReference) {
  for (const std::string number : {"0", "1", "2", "3", "4"}) {
    const TensorFile file = golden("propagation_" + number + ".safetensors");
    EXPECT_EQ(to_values(hashed_tensor("propagation.x." + number, {2, 12, 3, 4}, 1.0, 0.05)),
              to_values(find_tensor(file, "x")));
    EXPECT_EQ(to_values(hashed_tensor("propagation.g." + number, {2, 12, 3, 4})),
              to_values(find_tensor(file, "grad_y")));
  }
  EXPECT_EQ(to_values(hashed_tensor("fc.weight", {5, 6}, 0.5)),
            to_values(find_tensor(golden("lars.safetensors"), "initial.fc.weight")));
}

TEST(HashedTensor, GivesTheBoxesOfTheReference) {
  const std::vector<double> boxes = to_values(find_tensor(golden("loss_0.safetensors"), "coord_q"));
  const std::vector<double> uniform = to_values(hashed_tensor("loss.cq.0", {4, 4}));
  for (size_t row = 0; row < 3; ++row) {       // the last box in the file is a special case
    const size_t left = row % 3 == 0 ? 2 : 0;  // every third box is mirrored
    EXPECT_EQ(boxes[4 * row + left], (uniform[4 * row] + 1) / 2 * 0.5);
    EXPECT_EQ(boxes[4 * row + 1], (uniform[4 * row + 1] + 1) / 2 * 0.5);
  }
}

TEST(HashedTensor, RoundsScaleAndShiftSeparately) {
  const std::vector<double> plain = to_values(hashed_tensor("x", {2000}));
  const std::vector<double> moved = to_values(hashed_tensor("x", {2000}, 0.3, 0.7));
  for (size_t i = 0; i < plain.size(); ++i) {
    const volatile double scaled = plain[i] * 0.3;
    ASSERT_EQ(moved[i], scaled + 0.7) << i;
  }
}

}  // namespace
}  // namespace engine
