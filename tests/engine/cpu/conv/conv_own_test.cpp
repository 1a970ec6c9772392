// The direct and Winograd convolutions against the reference kernels in float64, over odd shapes.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/algorithm.h"
#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/winograd/winograd.h"
#include "engine/cpu/lanes.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

struct Case {
  Shape x, w;
  Conv2dOptions options;
};

struct Result {
  Tensor y, dx, twice, dw;  // twice: dx added to itself
};

Tensor activation(const char* name, const Shape& shape) {
  return to_layout(to_dtype(hashed_tensor(name, shape), DType::f32), kLaneLayout);
}

Shape output(const Case& c) { return conv2d_output_shape(c.x, c.w, c.options); }

Result reference(const Case& c) {
  CpuContext& ctx = cpu_context();
  const Tensor x = hashed_tensor("x", c.x), w = hashed_tensor("w", c.w);
  const Tensor dy = hashed_tensor("dy", output(c)), none;
  Result r{empty_like(dy), empty_like(x), {}, empty_like(w)};
  Tensor no_bias;
  conv2d_forward(ctx, x, w, none, c.options, r.y);
  conv2d_backward_data(ctx, dy, w, c.options, r.dx);
  r.twice = clone(r.dx);
  conv2d_backward_data(ctx, dy, w, c.options, r.twice, true);
  conv2d_backward_weights(ctx, x, dy, c.options, r.dw, no_bias);
  return r;
}

// Outputs start as 7, so that a pixel that is never written is found.
Result run(const Case& c, const ConvChoice& choice) {
  CpuContext& ctx = cpu_context();
  const Tensor x = activation("x", c.x), dy = activation("dy", output(c));
  const Tensor w = to_dtype(hashed_tensor("w", c.w), DType::f32);
  Result r{to_layout(full(dy.shape(), 7.0), kLaneLayout),
           to_layout(full(c.x, 7.0), kLaneLayout),
           {},
           full(c.w, 7.0)};
  if (choice.algorithm == ConvAlgorithm::winograd) {
    winograd_conv_forward(ctx, choice.tile, x, w, c.options, r.y);
    winograd_conv_backward_data(ctx, choice.tile, dy, w, c.options, false, r.dx);
    r.twice = clone(r.dx);
    winograd_conv_backward_data(ctx, choice.tile, dy, w, c.options, true, r.twice);
    winograd_conv_backward_weights(choice.tile, x, dy, c.options, r.dw);
  } else {
    direct_conv_forward(ctx, x, w, {}, c.options, r.y);
    direct_conv_backward_data(ctx, dy, w, c.options, false, r.dx);
    r.twice = clone(r.dx);
    direct_conv_backward_data(ctx, dy, w, c.options, true, r.twice);
    direct_conv_backward_weights(x, dy, c.options, r.dw);
  }
  return r;
}

constexpr ConvChoice kDirect{ConvAlgorithm::direct};

// Winograd's tiles with stride 1 and 2, and the largest errors that their rounding may cause.
using Tiles = std::vector<std::pair<int64_t, double>>;
const Tiles kTiles = {{2, 1e-6}, {3, 3e-6}, {4, 5e-6}, {5, 1e-5}, {6, 1e-5}};
const Tiles kStridedTiles = {{3, 1e-6}, {7, 1e-5}};

void expect_near(const Case& c, const ConvChoice& choice, const Result& expected,
                 double tolerance) {
  const Result found = run(c, choice);
  const auto& o = c.options;
  const auto where = [&](const char* what) {
    std::ostringstream text;
    text << choice << ": " << what << " of x " << c.x << ", w " << c.w << ", stride " << o.stride
         << ", padding " << o.padding;
    return text.str();
  };
  EXPECT_LE(distance(found.y, expected.y), tolerance) << where("y");
  EXPECT_LE(distance(found.dx, expected.dx), tolerance) << where("dx");
  EXPECT_LE(distance(found.twice, expected.twice), tolerance) << where("dx added to itself");
  EXPECT_LE(distance(found.dw, expected.dw), tolerance) << where("dw");
}

// Every size 1 .. 17 with every kernel, stride and padding for which the output is not empty.
// Channels, images and the other side vary with them.
std::vector<Case> odd_cases(const std::vector<int64_t>& kernels,
                            const std::vector<int64_t>& strides, int64_t most_padding) {
  std::vector<Case> cases;
  int64_t number = 0;
  for (const int64_t kernel : kernels) {
    for (const int64_t stride : strides) {
      for (int64_t padding = 0; padding <= std::min(most_padding, kernel); ++padding) {
        for (int64_t size = 1; size <= 17; ++size) {
          const int64_t other = (5 * size + 3 * padding) % 17 + 1;
          if (std::min(size, other) + 2 * padding < kernel) continue;
          ++number;
          const int64_t in = number % 5 + 1, out = number % 6 + 1, images = number % 3 + 1;
          cases.push_back({{images, in * kLanes, size, other},
                           {out * kLanes, in * kLanes, kernel, kernel},
                           {.stride = stride, .padding = padding}});
        }
      }
    }
  }
  return cases;
}

TEST(OwnConvolution, DirectEqualsTheReferenceOnOddShapes) {
  for (const Case& c : odd_cases({1, 3, 5, 7}, {1, 2, 3}, 3)) {
    expect_near(c, kDirect, reference(c), 2e-6);
  }
}

TEST(OwnConvolution, WinogradEqualsTheReferenceOnOddShapes) {
  for (const Case& c : odd_cases({3}, {1}, 3)) {
    const Result expected = reference(c);
    for (const auto& [tile, tolerance] : kTiles) {
      expect_near(c, {ConvAlgorithm::winograd, tile}, expected, tolerance);
    }
  }
}

// Several passes over the inputs, several strips, strips of one thread and strips that threads
// share.
const std::vector<Case> kLargeCases = {
    {{2, 320, 8, 9}, {48, 320, 3, 3}, {.padding = 1}},
    {{1, 64, 57, 56}, {64, 64, 3, 3}, {.padding = 1}},
    {{33, 64, 3, 3}, {144, 64, 3, 3}, {.padding = 1}},
    {{3, 512, 13, 14}, {256, 512, 3, 3}, {.padding = 1}},
};

// 1x1: weights packed once and by every task, several passes over the inputs, a panel that is not
// full, ranges that end within an image, gradients with and without parts.
const std::vector<Case> k1x1Cases = {
    {{3, 64, 29, 31}, {80, 64, 1, 1}, {}},
    {{9, 48, 16, 15}, {32, 48, 1, 1}, {}},
    {{2, 1088, 7, 7}, {176, 1088, 1, 1}, {}},
    {{5, 640, 13, 12}, {2080, 640, 1, 1}, {}},
    {{3, 64, 39, 37}, {80, 64, 1, 1}, {}},
    {{2, 576, 46, 45}, {80, 576, 1, 1}, {}},
    {{2, 64, 57, 60}, {96, 64, 1, 1}, {.stride = 2}},
    {{5, 32, 57, 60}, {64, 32, 1, 1}, {.stride = 2}},
};

TEST(OwnConvolution, EqualsTheReferenceOnLargeShapes) {
  for (const Case& c : kLargeCases) {
    const Result expected = reference(c);
    expect_near(c, kDirect, expected, 2e-6);
    for (const auto& [tile, tolerance] : kTiles) {
      expect_near(c, {ConvAlgorithm::winograd, tile}, expected, tolerance);
    }
  }
}

TEST(OwnConvolution, DirectEqualsTheReferenceOn1x1) {
  for (const Case& c : k1x1Cases) expect_near(c, kDirect, reference(c), 2e-6);
}

TEST(OwnConvolution, Direct1x1AddsABias) {
  CpuContext& ctx = cpu_context();
  for (const Case& c : k1x1Cases) {
    const Tensor x = hashed_tensor("x", c.x), w = hashed_tensor("w", c.w);
    const Tensor bias = hashed_tensor("bias", {c.w[0]});
    Tensor expected(output(c), DType::f64), found = activation("y", output(c));
    conv2d_forward(ctx, x, w, bias, c.options, expected);
    direct_conv_forward(ctx, activation("x", c.x), to_dtype(w, DType::f32),
                        to_dtype(bias, DType::f32), c.options, found);
    EXPECT_LE(distance(found, expected), 2e-6) << c.x << ' ' << c.w;
  }
}

TEST(OwnConvolution, StridedWinogradEqualsTheReferenceOnOddShapes) {
  std::vector<Case> cases = odd_cases({3}, {2}, 1);
  cases.push_back({{5, 320, 17, 16}, {96, 320, 3, 3}, {.stride = 2, .padding = 1}});
  cases.push_back({{16, 256, 14, 14}, {512, 256, 3, 3}, {.stride = 2, .padding = 1}});
  std::erase_if(cases, [](const Case& c) { return c.options.padding != 1; });
  for (const Case& c : cases) {
    const Result expected = reference(c);
    for (const auto& [tile, tolerance] : kStridedTiles) {
      expect_near(c, {ConvAlgorithm::winograd, tile}, expected, tolerance);
    }
  }
}

TEST(OwnConvolution, DirectEqualsTheReferenceOnKernelsThatAreNotSquare) {
  for (const int64_t stride : {1, 2}) {
    const Case c{
        {2, 2 * kLanes, 9, 12}, {kLanes, 2 * kLanes, 5, 2}, {.stride = stride, .padding = 1}};
    expect_near(c, kDirect, reference(c), 2e-6);
  }
}

TEST(OwnConvolution, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  std::vector<Case> cases = kLargeCases;
  cases.push_back({{3, 64, 15, 14}, {96, 64, 3, 3}, {.stride = 2, .padding = 1}});
  cases.push_back({{17, 512, 14, 14}, {64, 512, 3, 3}, {.stride = 2, .padding = 1}});
  cases.push_back({{2, kLanes, 9, 9}, {160, kLanes, 3, 3}, {.padding = 1}});  // few inputs
  cases.insert(cases.end(), k1x1Cases.begin(), k1x1Cases.end());
  cases.push_back({{1, 64, 8, 4}, {64, 64, 3, 3}, {.padding = 1}});  // fewer tiles than threads
  for (const Case& c : cases) {
    std::vector<ConvChoice> choices = {kDirect};
    if (c.w[2] == 3) {
      for (const auto& [tile, _] : c.options.stride == 1 ? kTiles : kStridedTiles) {
        choices.push_back({ConvAlgorithm::winograd, tile});
      }
    }
    for (const ConvChoice& choice : choices) {
      omp_set_num_threads(1);
      const Result one = run(c, choice);
      for (const int count : {2, 3, 8}) {
        omp_set_num_threads(count);
        const Result many = run(c, choice);
        EXPECT_EQ(distance(many.y, one.y), 0.0) << choice << ' ' << c.x << ' ' << count;
        EXPECT_EQ(distance(many.dx, one.dx), 0.0) << choice << ' ' << c.x << ' ' << count;
        EXPECT_EQ(distance(many.dw, one.dw), 0.0) << choice << ' ' << c.x << ' ' << count;
      }
    }
  }
  omp_set_num_threads(threads);
}

}  // namespace
}  // namespace engine
