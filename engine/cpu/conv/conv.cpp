#include "engine/kernels/conv.h"

#include <vector>

#include "engine/cpu/conv/algorithm.h"
#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/onednn_conv.h"
#include "engine/cpu/conv/reference.h"
#include "engine/cpu/conv/winograd.h"
#include "engine/cpu/strips.h"
#include "engine/kernels/pointwise.h"
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

// The algorithm for activations x and y; the own ones want both in the same layout.
ConvChoice algorithm_for(const CpuContext& ctx, ConvDirection direction, const Tensor& x,
                         const Tensor& w, const Tensor& bias, const Tensor& y,
                         const Conv2dOptions& options) {
  if (x.dtype() != DType::f32 || !ctx.use_library) return {ConvAlgorithm::reference};
  if (x.layout() != y.layout()) return {ConvAlgorithm::library};
  return choose(ctx.conv_policy, direction, x.shape(), w.shape(), options, bias.defined(),
                x.layout());
}

// One multiply-add for each weight and output pixel, whatever the algorithm.
double flops_of(const Shape& y, const Shape& w) {
  return 2.0 * static_cast<double>(y[0] * y[2] * y[3]) * static_cast<double>(w.elements());
}

// The plain kernels know one layout; others only reach them in tests and without the library.
Tensor plain(const Tensor& t) { return to_layout(t, Layout::plain); }

void plain_forward(const Tensor& x, const Tensor& w, const Tensor& bias,
                   const Conv2dOptions& options, Tensor& y) {
  Tensor result = y.layout() == Layout::plain ? y : Tensor(y.shape(), y.dtype());
  for_float(x.dtype(), [&](auto zero) {
    plain_conv_forward<decltype(zero)>(plain(x), w, bias, options, result);
  });
  if (y.layout() != Layout::plain) copy_into(result, y);
}

void plain_backward_data(const Tensor& dy, const Tensor& w, const Conv2dOptions& options,
                         Tensor& dx) {
  Tensor result = dx.layout() == Layout::plain ? dx : Tensor(dx.shape(), dx.dtype());
  for_float(dx.dtype(), [&](auto zero) {
    plain_conv_backward_data<decltype(zero)>(plain(dy), w, options, result);
  });
  if (dx.layout() != Layout::plain) copy_into(result, dx);
}

void plain_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                            Tensor& dw, Tensor& db) {
  for_float(x.dtype(), [&](auto zero) {
    plain_conv_backward_weights<decltype(zero)>(plain(x), plain(dy), options, dw, db);
  });
}

// db[o] = sum of dy over images and pixels, image by image.
void bias_gradient(const Tensor& dy, Tensor& db) {
  const Planes planes = planes_of(dy);
  const float* in = dy.data<float>();
  std::vector<double> rows(static_cast<size_t>(planes.n * planes.channels()));
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    double* row = rows.data() + strip.image * planes.channels() + strip.channel;
    for_runs(planes.pixels, [&](int64_t begin, int64_t end) {
      constexpr int kWidth = lanes;
      float sums[kWidth];
      sum_run<lanes>(strip, begin, end, sums, [=](int64_t i, int) { return in[i]; });
      for (int lane = 0; lane < lanes; ++lane) row[lane] += sums[lane];
    });
  });
  for (int64_t c = 0; c < planes.channels(); ++c) {
    double sum = 0.0;
    for (int64_t n = 0; n < planes.n; ++n)
      sum += rows[static_cast<size_t>(n * planes.channels() + c)];
    db.data<float>()[c] = static_cast<float>(sum);
  }
}

}  // namespace

Shape conv2d_output_shape(const Shape& x, const Shape& w, const Conv2dOptions& o) {
  require(x.axes() == 4 && w.axes() == 4, "conv2d: x [N,C,H,W] and weight [O,C/groups,KH,KW] ",
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
  constexpr ConvDirection kDirection = ConvDirection::forward;
  const ConvChoice choice = algorithm_for(ctx, kDirection, x, w, bias, y, options);
  const Timer timer(ctx, kernel_name(kDirection, choice), bytes_of(x, w, y),
                    flops_of(y.shape(), w.shape()));
  switch (choice.algorithm) {
    case ConvAlgorithm::reference:
      return plain_forward(x, w, bias, options, y);
    case ConvAlgorithm::library:
      return onednn_conv_forward(ctx, x, w, bias, options, y);
    case ConvAlgorithm::direct:
      return direct_conv_forward(ctx, x, w, bias, options, y);
    case ConvAlgorithm::winograd:
      return winograd_conv_forward(ctx, choice.tile, x, w, options, y);
  }
}

void conv2d_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds) {
  check("conv2d backward", dx, w, dy, options);
  constexpr ConvDirection kDirection = ConvDirection::backward_data;
  const ConvChoice choice = algorithm_for(ctx, kDirection, dx, w, Tensor(), dy, options);
  const bool own =
      choice.algorithm == ConvAlgorithm::direct || choice.algorithm == ConvAlgorithm::winograd;
  if (adds && !own) {
    Tensor part = empty_like(dx);
    conv2d_backward_data(ctx, dy, w, options, part);
    return add(ctx, dx, part, dx);
  }
  const Timer timer(ctx, kernel_name(kDirection, choice), bytes_of(dy, w, dx),
                    flops_of(dy.shape(), w.shape()));
  switch (choice.algorithm) {
    case ConvAlgorithm::reference:
      return plain_backward_data(dy, w, options, dx);
    case ConvAlgorithm::library:
      return onednn_conv_backward_data(ctx, dy, w, options, dx);
    case ConvAlgorithm::direct:
      return direct_conv_backward_data(ctx, dy, w, options, adds, dx);
    case ConvAlgorithm::winograd:
      return winograd_conv_backward_data(ctx, choice.tile, dy, w, options, adds, dx);
  }
}

void conv2d_backward_weights(CpuContext& ctx, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  check("conv2d backward", x, dw, dy, options);
  check_bias("conv2d backward", db, dw);
  constexpr ConvDirection kDirection = ConvDirection::backward_weights;
  const ConvChoice choice = algorithm_for(ctx, kDirection, x, dw, db, dy, options);
  const Timer timer(ctx, kernel_name(kDirection, choice), bytes_of(x, dy, dw),
                    flops_of(dy.shape(), dw.shape()));
  switch (choice.algorithm) {
    case ConvAlgorithm::reference:
      return plain_backward_weights(x, dy, options, dw, db);
    case ConvAlgorithm::library:
      return onednn_conv_backward_weights(ctx, x, dy, options, dw, db);
    case ConvAlgorithm::direct:
      direct_conv_backward_weights(x, dy, options, dw);
      break;
    case ConvAlgorithm::winograd:
      winograd_conv_backward_weights(choice.tile, x, dy, options, dw);
      break;
  }
  if (db.defined()) bias_gradient(dy, db);
}

}  // namespace engine
