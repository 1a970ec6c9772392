// Which kernel convolves: the rule, and the measurements behind it.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

// reference: the loops of the formula, which serve float64 and the tests. library: oneDNN. direct:
// register tiles over the taps. winograd: winograd.h.
enum class ConvAlgorithm : uint8_t { reference, library, direct, winograd };

struct ConvChoice {
  ConvAlgorithm algorithm;
  int64_t tile = 0;  // of winograd

  bool operator==(const ConvChoice&) const = default;
};
std::ostream& operator<<(std::ostream&, const ConvChoice&);  // "winograd4"

// "conv2d backward data winograd4": how a profile calls it.
std::string kernel_name(ConvDirection, const ConvChoice&);

// The algorithm for x [N,C,H,W] and w [O,C/groups,KH,KW], both activations f32 in `layout`.
//   library     groups, dilation, an empty batch, or channels of x or y that do not fill blocks of
//               kLanes in the layout of the own kernels
// and else by the policy:
//   direct      everything
//   winograd, automatic   3x3 with stride 1, or 2 and padding 1 (forward without a bias), by the
//               tile of least work; other shapes direct
// Measured on two cores against oneDNN 2.6.3 (tests/bench/conv_bench.cpp), ResNet-18 and -50 at
// 224 and 96 px: 3x3 with stride 1 runs 1.6-3.5 times as fast, with stride 2 1.0-1.7 times, 1x1
// 0.97-1.4 times.
ConvChoice choose(ConvPolicy policy, ConvDirection direction, const Shape& x, const Shape& w,
                  const Conv2dOptions& options, bool bias, Layout layout);

}  // namespace engine
