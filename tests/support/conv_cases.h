// Convolutions whose shapes are awkward in every way: odd sizes, strides, dilation, groups,
// channels that do not fill a vector. The tests of every device run all of them.
#pragma once

#include <vector>

#include "engine/kernels/conv.h"

namespace test_support {

struct ConvCase {
  engine::Shape x, w;
  engine::Conv2dOptions options;
};

const std::vector<ConvCase>& conv_cases();

}  // namespace test_support
