#include "engine/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/error.h"

namespace engine {
namespace {

using Block = std::array<uint32_t, 4>;

TEST(Philox, GivesThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, StreamsOfOneSeedDiffer) {
  std::set<uint32_t> first;
  for (uint32_t a = 0; a < 10; ++a) {
    for (uint32_t b = 0; b < 10; ++b) first.insert(Random(1, a, b).bits());
  }
  EXPECT_EQ(first.size(), 100U);
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

TEST(Random, BelowIsEvenAndRefusesNonsense) {
  constexpr int kDraws = 70000;
  Random random(4);
  std::array<int, 7> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(random.below(7))];
  double chi_square = 0.0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, one in a thousand
  EXPECT_THROW(random.below(0), Error);
}

}  // namespace
}  // namespace engine
