// Which kernel convolves: the rule, and the measurements behind it.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

// plain: the loops of the formula, which serve float64 and the tests. library: oneDNN. direct:
// register tiles over the taps. winograd2, 3 and 4: Winograd's F(2x2,3x3), F(3x3,3x3) and
// F(4x4,3x3), with 16, 25 and 36 multiplications for 4, 9 and 16 outputs a channel pair instead of
// 36, 81 and 144.
enum class ConvAlgorithm : uint8_t { plain, library, direct, winograd2, winograd3, winograd4 };
std::ostream& operator<<(std::ostream&, ConvAlgorithm);

// "conv2d backward data winograd4": how a profile calls it.
const char* kernel_name(ConvDirection, ConvAlgorithm);

// The algorithm for x [N,C,H,W] and w [O,C/groups,KH,KW], both activations f32 in `layout`.
//   library     groups, dilation, an empty batch, or channels of x or y that do not fill blocks of
//               kLanes in the layout of the own kernels
// and else by the policy:
//   direct      everything
//   winograd    3x3 with stride 1 (forward without a bias): of winograd2, 3 and 4 the one with
//               fewest multiplications; other shapes as automatic
//   automatic   3x3 as winograd; other kernels larger than 1x1 direct; 1x1 library, but direct
//               where that is known to be slow: forward over 9 or fewer pixels, and with AVX-512
//               the gradient of the weights over 9 or fewer pixels or from 1024 or more inputs
// Measured on two cores against oneDNN 2.6.3 (tests/bench/conv_bench.cpp), ResNet-18 and -50 at
// 224 and 96 px: 3x3 with stride 1 runs 1.6-3 times as fast, strided 3x3 1.0-1.5 times; 1x1
// is the library's by 0-15 %.
ConvAlgorithm choose(ConvPolicy policy, ConvDirection direction, const Shape& x, const Shape& w,
                     const Conv2dOptions& options, bool bias, Layout layout);

}  // namespace engine
