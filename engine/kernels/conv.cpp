#include "engine/kernels/conv.h"

namespace engine {

Shape conv2d_output_shape(const Shape& x, const Shape& w, const Conv2dOptions& o) {
  require(x.axes() == 4 && w.axes() == 4, "conv2d: expected x [N,C,H,W] and weight ",
          "[O,C/groups,KH,KW], found ", x, " and ", w);
  require(
      o.stride >= 1 && o.padding >= 0 && o.dilation >= 1 && o.groups >= 1,
      "conv2d: expected stride, dilation and groups of 1 or more and padding of 0 or more, found ",
      o.stride, ", ", o.dilation, ", ", o.groups, " and ", o.padding);
  require(w.elements() > 0, "conv2d: weight ", w, " has no elements");
  require(w[0] % o.groups == 0, "conv2d: weight ", w, " does not split into ", o.groups, " groups");
  require(x[1] == w[1] * o.groups, "conv2d: weight ", w, " with groups=", o.groups,
          " expects C=", w[1] * o.groups, ", input ", x, " has C=", x[1]);
  const auto extent = [&](int axis) {
    const int64_t room = x[axis] + 2 * o.padding - o.dilation * (w[axis] - 1) - 1;
    require(room >= 0, "conv2d: weight ", w, " with dilation ", o.dilation, " does not fit input ",
            x, " with padding ", o.padding);
    return room / o.stride + 1;
  };
  return {x[0], w[0], extent(2), extent(3)};
}

void check_conv2d(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias,
                  const Conv2dOptions& options, const Tensor& y) {
  const Shape expected = conv2d_output_shape(x.shape(), w.shape(), options);
  require(y.shape() == expected, op, ": expected the output ", expected, ", found ", y.shape());
  require(x.dtype() == w.dtype() && x.dtype() == y.dtype(), op, ": expected one type, found ",
          x.dtype(), ", ", w.dtype(), " and ", y.dtype());
  require(x.device() == w.device() && x.device() == y.device(), op, ": expected one device, found ",
          x.device(), ", ", w.device(), " and ", y.device());
  if (!bias.defined()) return;
  const DType type = at_least_f32(w.dtype());
  require(bias.shape() == Shape{w.shape()[0]} && bias.dtype() == type, op, ": expected a bias ",
          type, " [", w.shape()[0], "], found ", bias);
  require(bias.device() == w.device(), op, ": expected the bias on ", w.device(), ", found ", bias);
}

}  // namespace engine
