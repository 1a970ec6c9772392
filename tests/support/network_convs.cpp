#include "tests/support/network_convs.h"

#include <algorithm>

#include "engine/arithmetic.h"
#include "engine/tensor_ops.h"
#include "pixpro/method/model.h"

namespace test_support {
namespace {

// The tape records shapes only. The networks pad by half the kernel and use no dilation or groups.
engine::Conv2dOptions options_of(const engine::Shape& x, const engine::Shape& w,
                                 const engine::Shape& y) {
  const engine::Conv2dOptions options{.stride = engine::ceil_div(x[2], y[2]), .padding = w[2] / 2};
  engine::require(engine::conv2d_output_shape(x, w, options) == y, "network_convs: x ", x,
                  " and weight ", w, " do not give ", y, " with half the kernel as padding");
  return options;
}

}  // namespace

std::vector<NetworkConv> network_convs(const std::string& arch, int64_t image_size, int64_t rows) {
  layers::Init init{engine::Random(1)};
  pixpro::Model model({.arch = arch}, init);
  engine::Tensor boxes = engine::zeros({2, 4}, engine::DType::f64);
  for (int row = 0; row < 2; ++row) {
    boxes.data<double>()[4 * row + 2] = boxes.data<double>()[4 * row + 3] = 1.0;
  }
  const autograd::Tape tape;
  model.forward(engine::full({2, 3, image_size, image_size}, 0.5), boxes);

  std::vector<NetworkConv> found;
  for (const autograd::Node& node : tape.nodes()) {
    if (node.op != std::string("conv2d")) continue;
    const engine::Shape &x = node.inputs[0]->shape, &w = node.inputs[1]->shape;
    const NetworkConv conv{.x = x.with(0, rows),
                           .w = w,
                           .options = options_of(x, w, node.output->shape),
                           .needs_dx = node.inputs[0]->needs_grad};
    const auto same = std::ranges::find_if(found, [&](const NetworkConv& other) {
      return other.x == conv.x && other.w == conv.w && other.options.stride == conv.options.stride;
    });
    if (same != found.end()) {
      ++same->count;
    } else {
      found.push_back(conv);
    }
  }
  return found;
}

}  // namespace test_support
