#include "engine/cpu/conv_algorithm.h"

#include <gtest/gtest.h>

#include "engine/cpu/lanes.h"

namespace engine {
namespace {

constexpr int64_t kC = 4 * kLanes;

ConvAlgorithm chosen(ConvPolicy policy, int64_t size, int64_t kernel,
                     const Conv2dOptions& options = {.padding = 1}, bool bias = false,
                     Layout layout = kLaneLayout, int64_t in = kC, int64_t out = kC) {
  return choose(policy, ConvDirection::forward, {2, in, size, size}, {out, in, kernel, kernel},
                options, bias, layout);
}

TEST(ConvAlgorithm, AutomaticTakesTheCheapestTilesFor3x3AndTheLibraryFor1x1) {
  const ConvPolicy automatic = ConvPolicy::automatic;
  EXPECT_EQ(chosen(automatic, 56, 3), ConvAlgorithm::winograd4);
  EXPECT_EQ(chosen(automatic, 7, 3), ConvAlgorithm::winograd4);
  EXPECT_EQ(chosen(automatic, 8, 3), ConvAlgorithm::winograd4);
  EXPECT_EQ(chosen(automatic, 6, 3), ConvAlgorithm::winograd3);   // 4 x 25 against 4 x 36, 9 x 16
  EXPECT_EQ(chosen(automatic, 18, 3), ConvAlgorithm::winograd4);  // 25 x 36, as many as 36 x 25
  EXPECT_EQ(chosen(automatic, 2, 3), ConvAlgorithm::winograd2);   // 16 against 36
  EXPECT_EQ(chosen(automatic, 56, 3, {.stride = 2, .padding = 1}), ConvAlgorithm::direct);
  EXPECT_EQ(chosen(automatic, 56, 5), ConvAlgorithm::direct);
  EXPECT_EQ(chosen(automatic, 56, 1), ConvAlgorithm::library);
}

TEST(ConvAlgorithm, AutomaticKnowsWhereTheLibrarysWeightGradientIsSlow) {
  const auto weights = [](int64_t in, int64_t size, bool bias) {
    return choose(ConvPolicy::automatic, ConvDirection::backward_weights, {2, in, size, size},
                  {kC, in, 1, 1}, {}, bias, kLaneLayout);
  };
  const ConvAlgorithm hard = kLanes == 16 ? ConvAlgorithm::direct : ConvAlgorithm::library;
  EXPECT_EQ(weights(kC, 7, false), ConvAlgorithm::library);
  EXPECT_EQ(weights(1024, 7, false), hard);
  EXPECT_EQ(weights(1024, 7, true), hard);
  EXPECT_EQ(weights(kC, 3, false), hard);
}

TEST(ConvAlgorithm, OnlyDirectKernelsTakeABiasForward) {
  const auto with_bias = [](ConvPolicy policy, int64_t size, int64_t kernel) {
    return chosen(policy, size, kernel, {.padding = kernel / 2}, /*bias=*/true);
  };
  EXPECT_EQ(with_bias(ConvPolicy::automatic, 14, 3), ConvAlgorithm::direct);
  EXPECT_EQ(with_bias(ConvPolicy::automatic, 14, 1), ConvAlgorithm::library);
  EXPECT_EQ(with_bias(ConvPolicy::automatic, 3, 1), ConvAlgorithm::direct);
  EXPECT_EQ(with_bias(ConvPolicy::direct, 14, 1), ConvAlgorithm::direct);
}

TEST(ConvAlgorithm, APolicyRunsItsKindWhereItCan) {
  EXPECT_EQ(chosen(ConvPolicy::direct, 56, 3), ConvAlgorithm::direct);
  EXPECT_EQ(chosen(ConvPolicy::direct, 56, 1), ConvAlgorithm::direct);
  EXPECT_EQ(chosen(ConvPolicy::winograd, 56, 3), ConvAlgorithm::winograd4);
  EXPECT_EQ(chosen(ConvPolicy::library, 56, 3), ConvAlgorithm::library);
}

TEST(ConvAlgorithm, WhatTheOwnKernelsDoNotTakeGoesToTheLibrary) {
  for (const ConvPolicy policy :
       {ConvPolicy::automatic, ConvPolicy::direct, ConvPolicy::winograd}) {
    const auto by_library = [&](auto... rest) {
      return chosen(policy, 14, 3, rest...) == ConvAlgorithm::library;
    };
    const Conv2dOptions plain{.padding = 1};
    EXPECT_FALSE(by_library());
    EXPECT_TRUE(by_library(Conv2dOptions{.padding = 1, .dilation = 2}));
    EXPECT_TRUE(by_library(plain, false, Layout::plain));
    EXPECT_TRUE(by_library(plain, false, kLaneLayout, kC + 3, kC));
    EXPECT_TRUE(by_library(plain, false, kLaneLayout, kC, kC + 3));
    EXPECT_EQ(choose(policy, ConvDirection::forward, {2, kC, 9, 9}, {kC, kC / 2, 3, 3},
                     {.padding = 1, .groups = 2}, false, kLaneLayout),
              ConvAlgorithm::library);
    EXPECT_EQ(choose(policy, ConvDirection::forward, {0, kC, 9, 9}, {kC, kC, 3, 3}, plain, false,
                     kLaneLayout),
              ConvAlgorithm::library);
  }
}

}  // namespace
}  // namespace engine
