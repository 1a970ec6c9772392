#include "engine/kernels/conv.h"

#include "engine/cpu/conv_plain.h"
#include "engine/cpu/onednn.h"
#include "engine/profile.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

void check(const char* op, const Tensor& x, const Tensor& w, const Tensor& y,
           const Conv2dOptions& options) {
  const Shape expected = conv2d_output_shape(x.shape(), w.shape(), options);
  require(y.shape() == expected, op, ": output ", expected, " expected, found ", y.shape());
  require(x.dtype() == w.dtype() && x.dtype() == y.dtype(), op, ": one type expected, found ",
          x.dtype(), ", ", w.dtype(), " and ", y.dtype());
  require(w.layout() == Layout::plain, op, ": plain weights expected, found ", w);
}

void check_bias(const char* op, const Tensor& bias, const Tensor& w) {
  require(!bias.defined() || (bias.shape() == Shape{w.shape()[0]} && bias.dtype() == w.dtype()), op,
          ": bias ", w.dtype(), " [", w.shape()[0], "] expected, found ", bias);
}

bool by_library(const CpuContext& ctx, const Tensor& x) {
  return x.dtype() == DType::f32 && ctx.use_library;
}

// One multiply-add for each weight and output pixel.
double flops_of(const Shape& y, const Shape& w) {
  return 2.0 * static_cast<double>(y[0] * y[2] * y[3]) * static_cast<double>(w.elements());
}

// The plain kernels know one layout; others only reach them in tests and without the library.
Tensor plain(const Tensor& t) { return to_layout(t, Layout::plain); }

}  // namespace

Shape conv2d_output_shape(const Shape& x, const Shape& w, const Conv2dOptions& o) {
  require(x.rank() == 4 && w.rank() == 4, "conv2d: x [N,C,H,W] and weight [O,C/groups,KH,KW] ",
          "expected, found ", x, " and ", w);
  require(
      o.stride >= 1 && o.padding >= 0 && o.dilation >= 1 && o.groups >= 1,
      "conv2d: stride, dilation and groups of 1 or more and padding of 0 or more expected, found ",
      o.stride, ", ", o.dilation, ", ", o.groups, " and ", o.padding);
  require(w.elements() > 0, "conv2d: weight ", w, " has no elements");
  require(w[0] % o.groups == 0, "conv2d: weight ", w, " does not split into ", o.groups, " groups");
  require(x[1] == w[1] * o.groups, "conv2d: weight ", w, " in ", o.groups,
          " groups expects C=", w[1] * o.groups, ", input ", x, " has C=", x[1]);
  const auto extent = [&](int axis) {
    const int64_t room = x[axis] + 2 * o.padding - o.dilation * (w[axis] - 1) - 1;
    require(room >= 0, "conv2d: weight ", w, " with dilation ", o.dilation, " does not fit input ",
            x, " with padding ", o.padding);
    return room / o.stride + 1;
  };
  return {x[0], w[0], extent(2), extent(3)};
}

void conv2d_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y) {
  check("conv2d", x, w, y, options);
  check_bias("conv2d", bias, w);
  const Timer timer(ctx, "conv2d", bytes_of(x, w, y), flops_of(y.shape(), w.shape()));
  if (by_library(ctx, x)) return onednn_conv_forward(ctx, x, w, bias, options, y);
  Tensor result = y.layout() == Layout::plain ? y : Tensor(y.shape(), y.dtype());
  for_float(x.dtype(), [&](auto zero) {
    plain_conv_forward<decltype(zero)>(plain(x), w, bias, options, result);
  });
  if (y.layout() != Layout::plain) copy_into(result, y);
}

void conv2d_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx) {
  check("conv2d backward", dx, w, dy, options);
  const Timer timer(ctx, "conv2d backward data", bytes_of(dy, w, dx),
                    flops_of(dy.shape(), w.shape()));
  if (by_library(ctx, dx)) return onednn_conv_backward_data(ctx, dy, w, options, dx);
  Tensor result = dx.layout() == Layout::plain ? dx : Tensor(dx.shape(), dx.dtype());
  for_float(dx.dtype(), [&](auto zero) {
    plain_conv_backward_data<decltype(zero)>(plain(dy), w, options, result);
  });
  if (dx.layout() != Layout::plain) copy_into(result, dx);
}

void conv2d_backward_weights(CpuContext& ctx, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  check("conv2d backward", x, dw, dy, options);
  check_bias("conv2d backward", db, dw);
  const Timer timer(ctx, "conv2d backward weights", bytes_of(x, dy, dw),
                    flops_of(dy.shape(), dw.shape()));
  if (by_library(ctx, x)) return onednn_conv_backward_weights(ctx, x, dy, options, dw, db);
  for_float(x.dtype(), [&](auto zero) {
    plain_conv_backward_weights<decltype(zero)>(plain(x), plain(dy), options, dw, db);
  });
}

}  // namespace engine
