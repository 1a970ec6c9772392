#include "engine/kernels/conv.h"

#include <vector>

#include "engine/cpu/conv/algorithm.h"
#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/onednn_conv.h"
#include "engine/cpu/conv/reference.h"
#include "engine/cpu/conv/winograd/winograd.h"
#include "engine/cpu/strips.h"
#include "engine/kernels/pointwise.h"
#include "engine/profile.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

void check(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias,
           const Conv2dOptions& options, const Tensor& y) {
  check_conv2d(op, x, w, bias, options, y);
  require(w.layout() == Layout::plain, op, ": expected plain weights, found ", w);
}

// The algorithm for activations x and y. The engine's own kernels need both in the same layout.
ConvChoice algorithm_for(const CpuContext& ctx, ConvDirection direction, const Tensor& x,
                         const Tensor& w, const Tensor& bias, const Tensor& y,
                         const Conv2dOptions& options) {
  if (x.dtype() != DType::f32 || ctx.settings.conv_policy == ConvPolicy::reference) {
    return {ConvAlgorithm::reference};
  }
  if (x.layout() != y.layout()) return {ConvAlgorithm::library};
  return choose_conv_algorithm(ctx.settings.conv_policy, direction, x.shape(), w.shape(), options,
                               bias.defined(), x.layout());
}

// One multiply-add per weight and output pixel, whatever the algorithm.
double flops_of(const Shape& y, const Shape& w) {
  return 2.0 * static_cast<double>(y[0] * y[2] * y[3]) * static_cast<double>(w.elements());
}

// The reference kernels take only Layout::plain, which activation_layout names for them. A caller
// may still choose another layout, as tests do.
Tensor in_plain_layout(const Tensor& t) { return to_layout(t, Layout::plain); }

void reference_forward(const Tensor& x, const Tensor& w, const Tensor& bias,
                       const Conv2dOptions& options, Tensor& y) {
  Tensor result = y.layout() == Layout::plain ? y : Tensor(y.shape(), y.dtype());
  for_float(x.dtype(), [&](auto zero) {
    reference_conv_forward<decltype(zero)>(in_plain_layout(x), w, bias, options, result);
  });
  if (y.layout() != Layout::plain) copy_into(result, y);
}

void reference_backward_data(const Tensor& dy, const Tensor& w, const Conv2dOptions& options,
                             Tensor& dx) {
  Tensor result = dx.layout() == Layout::plain ? dx : Tensor(dx.shape(), dx.dtype());
  for_float(dx.dtype(), [&](auto zero) {
    reference_conv_backward_data<decltype(zero)>(in_plain_layout(dy), w, options, result);
  });
  if (dx.layout() != Layout::plain) copy_into(result, dx);
}

void reference_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                Tensor& dw, Tensor& db) {
  for_float(x.dtype(), [&](auto zero) {
    reference_conv_backward_weights<decltype(zero)>(in_plain_layout(x), in_plain_layout(dy),
                                                    options, dw, db);
  });
}

// db[o] = sum of dy over images and pixels. Each image is summed separately, so the result does not
// depend on the number of threads.
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

void conv2d_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y) {
  check("conv2d", x, w, bias, options, y);
  constexpr ConvDirection kDirection = ConvDirection::forward;
  const ConvChoice choice = algorithm_for(ctx, kDirection, x, w, bias, y, options);
  const Timer timer(ctx, kernel_name(kDirection, choice), bytes_of(x, w, y),
                    flops_of(y.shape(), w.shape()));
  switch (choice.algorithm) {
    case ConvAlgorithm::reference:
      return reference_forward(x, w, bias, options, y);
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
  check("conv2d backward", dx, w, Tensor(), options, dy);
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
      return reference_backward_data(dy, w, options, dx);
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
  check("conv2d backward", x, dw, db, options, dy);
  constexpr ConvDirection kDirection = ConvDirection::backward_weights;
  const ConvChoice choice = algorithm_for(ctx, kDirection, x, dw, db, dy, options);
  const Timer timer(ctx, kernel_name(kDirection, choice), bytes_of(x, dy, dw),
                    flops_of(dy.shape(), dw.shape()));
  switch (choice.algorithm) {
    case ConvAlgorithm::reference:
      return reference_backward_weights(x, dy, options, dw, db);
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
