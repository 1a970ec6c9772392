// The convolutions of the network as its tape records them, for tests that plan or count them.
#pragma once

#include <string>
#include <vector>

#include "engine/kernels/conv.h"

namespace test_support {

struct NetworkConv {
  engine::Shape x, w;
  engine::Conv2dOptions options;
  bool needs_dx = true;  // false if x is the image
  int64_t count = 1;     // how many convolutions of the online branch have these shapes
};

// Every distinct convolution of PixPro's online branch (backbone, projector, value transform) on
// square images, in the order of the forward pass. `rows` is the batch of both views together. Runs
// the network once on two images.
std::vector<NetworkConv> network_convs(const std::string& arch, int64_t image_size, int64_t rows);

}  // namespace test_support
