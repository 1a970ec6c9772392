#include "engine/cpu/conv/algorithm.h"

#include <gtest/gtest.h>

#include "engine/cpu/lanes.h"

namespace engine {
namespace {

constexpr int64_t kC = 4 * kLanes;

ConvChoice chosen(ConvPolicy policy, int64_t size, int64_t kernel,
                  const Conv2dOptions& options = {.padding = 1}, bool bias = false,
                  Layout layout = kLaneLayout, int64_t in = kC, int64_t out = kC,
                  int64_t images = 64) {
  return choose_conv_algorithm(policy, ConvDirection::forward, {images, in, size, size},
                               {out, in, kernel, kernel}, options, bias, layout);
}

constexpr ConvChoice kLibrary{ConvAlgorithm::library}, kDirect{ConvAlgorithm::direct};
constexpr ConvChoice winograd(int64_t tile) { return {ConvAlgorithm::winograd, tile}; }

TEST(ConvAlgorithm, AutomaticTakesTheCheapestTilesFor3x3AndDirectForOthers) {
  const ConvPolicy automatic = ConvPolicy::automatic;
  EXPECT_EQ(chosen(automatic, 56, 3), winograd(4));  // 196 x 36; 100 x 64 is not a tenth less
  EXPECT_EQ(chosen(automatic, 24, 3), winograd(6));  // 16 x 64 against 36 x 36
  EXPECT_EQ(chosen(automatic, 14, 3), winograd(5));  // 9 x 49 against 16 x 36, 9 x 64
  EXPECT_EQ(chosen(automatic, 7, 3), winograd(4));   // 4 x 36 against 9 x 25, 4 x 49
  EXPECT_EQ(chosen(automatic, 6, 3), winograd(6));   // 64 against 4 x 25
  EXPECT_EQ(chosen(automatic, 3, 3), winograd(3));   // 25 against 36
  EXPECT_EQ(chosen(automatic, 2, 3), winograd(2));   // 16 against 25
  EXPECT_EQ(chosen(automatic, 56, 5), kDirect);
  EXPECT_EQ(chosen(automatic, 56, 1, {}), kDirect);
  EXPECT_EQ(chosen(automatic, 56, 1, {.stride = 2}), kDirect);
}

TEST(ConvAlgorithm, ForASingleImageTransformedKernelsCountAsWell) {
  const auto of_one = [](int64_t size) {
    return chosen(ConvPolicy::automatic, size, 3, {.padding = 1}, false, kLaneLayout, kC, kC, 1);
  };
  EXPECT_EQ(of_one(56), winograd(4));
  EXPECT_EQ(of_one(6), winograd(2));  // 9 x 16 and 16 elements of a kernel against 64 and 64
}

TEST(ConvAlgorithm, AutomaticTakesWinogradWithStride2AndPadding1) {
  const auto strided = [](int64_t size, int64_t stride, int64_t padding) {
    return chosen(ConvPolicy::automatic, size, 3, {.stride = stride, .padding = padding});
  };
  EXPECT_EQ(strided(56, 2, 1), winograd(7));  // 16 x 225 against 100 x 49
  EXPECT_EQ(strided(24, 2, 1), winograd(3));  // 16 x 49 against 4 x 225
  EXPECT_EQ(strided(56, 2, 0), kDirect);
  EXPECT_EQ(strided(56, 3, 1), kDirect);
}

TEST(ConvAlgorithm, OnlyDirectKernelsTakeABiasForward) {
  const auto with_bias = [](ConvPolicy policy, int64_t size, int64_t kernel) {
    return chosen(policy, size, kernel, {.padding = kernel / 2}, /*bias=*/true);
  };
  EXPECT_EQ(with_bias(ConvPolicy::automatic, 14, 3), kDirect);
  EXPECT_EQ(with_bias(ConvPolicy::automatic, 14, 1), kDirect);
  EXPECT_EQ(with_bias(ConvPolicy::direct, 14, 1), kDirect);
}

TEST(ConvAlgorithm, APolicyChoosesItsKindIfPossible) {
  EXPECT_EQ(chosen(ConvPolicy::direct, 56, 3), kDirect);
  EXPECT_EQ(chosen(ConvPolicy::direct, 56, 1), kDirect);
  EXPECT_EQ(chosen(ConvPolicy::winograd, 56, 3), winograd(4));
  EXPECT_EQ(chosen(ConvPolicy::library, 56, 3), kLibrary);
}

TEST(ConvAlgorithm, ShapesThatOurKernelsDoNotTakeGoToTheLibrary) {
  for (const ConvPolicy policy :
       {ConvPolicy::automatic, ConvPolicy::direct, ConvPolicy::winograd}) {
    const auto by_library = [&](auto... rest) {
      return chosen(policy, 14, 3, rest...) == kLibrary;
    };
    const Conv2dOptions plain{.padding = 1};
    EXPECT_FALSE(by_library());
    EXPECT_TRUE(by_library(Conv2dOptions{.padding = 1, .dilation = 2}));
    EXPECT_TRUE(by_library(plain, false, Layout::plain));
    EXPECT_TRUE(by_library(plain, false, kLaneLayout, kC + 3, kC));
    EXPECT_TRUE(by_library(plain, false, kLaneLayout, kC, kC + 3));
    EXPECT_EQ(
        choose_conv_algorithm(policy, ConvDirection::forward, {2, kC, 9, 9}, {kC, kC / 2, 3, 3},
                              {.padding = 1, .groups = 2}, false, kLaneLayout),
        kLibrary);
    EXPECT_EQ(choose_conv_algorithm(policy, ConvDirection::forward, {0, kC, 9, 9}, {kC, kC, 3, 3},
                                    plain, false, kLaneLayout),
              kLibrary);
  }
}

}  // namespace
}  // namespace engine
