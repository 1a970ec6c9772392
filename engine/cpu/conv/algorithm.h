// The rule that chooses the algorithm of a convolution, and the measurements behind it.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

// reference: loops that follow the formula, for float64 and for tests. library: oneDNN. direct:
// register tiles that sum over all taps (direct.h). winograd: fewer multiplications for 3x3
// kernels (winograd/winograd.h).
enum class ConvAlgorithm : uint8_t { reference, library, direct, winograd };

struct ConvChoice {
  ConvAlgorithm algorithm;
  int64_t tile = 0;  // of winograd

  bool operator==(const ConvChoice&) const = default;
};
std::ostream& operator<<(std::ostream&, const ConvChoice&);  // "winograd4"

// The name of the kernel in profiles: "conv2d backward data winograd4".
std::string kernel_name(ConvDirection, const ConvChoice&);

// The algorithm for x [N,C,H,W] and w [O,C/groups,KH,KW], with both activations f32 in `layout`.
//   library     if there are groups or dilation, the batch is empty, `layout` is not kLaneLayout,
//               or C or O is not a multiple of kLanes
// and otherwise, by the policy:
//   direct      any shape
//   winograd, automatic   Winograd's kernel with the tile of least work for 3x3 with stride 1, or
//               stride 2 and padding 1 (forward only without a bias); direct for other shapes
// Measured on two cores against oneDNN 2.6.3 (tests/bench/conv_bench.cpp), for ResNet-18 and -50 at
// 224 and 96 px: 3x3 with stride 1 runs 1.6-3.5 times as fast, with stride 2 1.0-1.7 times, 1x1
// 0.97-1.4 times.
ConvChoice choose_conv_algorithm(ConvPolicy policy, ConvDirection direction, const Shape& x,
                                 const Shape& w, const Conv2dOptions& options, bool bias,
                                 Layout layout);

}  // namespace engine
