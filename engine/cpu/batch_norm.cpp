#include <cmath>

#include "engine/cpu/strips.h"
#include "engine/kernels/norm.h"
#include "engine/profile.h"

namespace engine {
namespace {

constexpr int kMostLanes = 16;

int64_t views_of(const char* op, const Tensor& x, const Tensor& statistics) {
  const Shape& s = statistics.shape();
  require(s.rank() == 3 && s[0] >= 1 && s[1] == 2 && s[2] == planes_of(x).channels() &&
              statistics.dtype() == DType::f64,
          op, ": f64 statistics [views,2,C] expected for x ", x, ", found ", statistics);
  require(x.shape()[0] % s[0] == 0, op, ": a batch of ", x.shape()[0], " does not split into ",
          s[0], " views");
  return s[0];
}

// The constants of one strip, as arrays over its lanes in the tensors' type.
template <class T>
struct LaneConstants {
  T mean[kMostLanes], scale[kMostLanes], bias[kMostLanes], dz_mean[kMostLanes], slope[kMostLanes];
};

// statistics or sums: [views, 2, C]; returns the row of this image's view.
const double* row_of(const Tensor& table, const Strip& strip, int64_t images) {
  const int64_t views = table.shape()[0], channels = table.shape()[2];
  const int64_t view = strip.image / (images / views);
  return table.data<double>() + view * 2 * channels + strip.channel;
}

double inverse_deviation(double variance, double eps) { return 1.0 / std::sqrt(variance + eps); }

// Adds up per-image rows [N, 2, C] into per-view rows [views, 2, C], in image order.
void sum_views(const std::vector<double>& rows, int64_t images, Tensor& sums) {
  const int64_t views = sums.shape()[0], width = 2 * sums.shape()[2], per_view = images / views;
  double* out = sums.data<double>();
  for (int64_t view = 0; view < views; ++view) {
    for (int64_t c = 0; c < width; ++c) {
      double sum = 0.0;
      for (int64_t n = view * per_view; n < (view + 1) * per_view; ++n) {
        sum += rows[static_cast<size_t>(n * width + c)];
      }
      out[view * width + c] = sum;
    }
  }
}

// Merges the means and squared deviations of single images (rows [N, 2, C], each over `pixels`
// values) into mean and biased variance a view: Chan, Golub, LeVeque, 1979.
void merge_images(const std::vector<double>& rows, int64_t images, int64_t pixels,
                  Tensor& statistics) {
  const int64_t views = statistics.shape()[0], channels = statistics.shape()[2];
  const int64_t per_view = images / views;
  double* out = statistics.data<double>();
  for (int64_t view = 0; view < views; ++view) {
    for (int64_t c = 0; c < channels; ++c) {
      double count = 0.0, mean = 0.0, m2 = 0.0;
      for (int64_t n = view * per_view; n < (view + 1) * per_view; ++n) {
        const double* row = rows.data() + n * 2 * channels + c;
        const double total = count + static_cast<double>(pixels), delta = row[0] - mean;
        mean += delta * static_cast<double>(pixels) / total;
        m2 += row[channels] + delta * delta * count * static_cast<double>(pixels) / total;
        count = total;
      }
      out[view * 2 * channels + c] = mean;
      out[(view * 2 + 1) * channels + c] = m2 / count;
    }
  }
}

template <class T>
void image_moments(const Tensor& x, const Planes& planes, std::vector<double>& rows) {
  const T* in = x.data<T>();
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    double* row = rows.data() + strip.image * 2 * planes.channels() + strip.channel;
    double *mean = row, *m2 = row + planes.channels();
    sum_elements<lanes>(strip, planes.pixels, mean,
                        [=](int64_t i, int) -> double { return in[i]; });
    for (int lane = 0; lane < lanes; ++lane) mean[lane] /= static_cast<double>(planes.pixels);
    sum_elements<lanes>(strip, planes.pixels, m2, [=](int64_t i, int lane) {
      const double deviation = in[i] - mean[lane];
      return deviation * deviation;
    });
  });
}

template <class T>
void apply(const Tensor& x, const Tensor& statistics, const Tensor& weight, const Tensor& bias,
           const Tensor& residual, BatchNormOptions options, Tensor& y) {
  const Planes planes = planes_of(x);
  const T *in = x.data<T>(), *w = weight.data<T>(), *b = bias.data<T>();
  const T* add = residual.defined() ? residual.data<T>() : nullptr;
  T* out = y.data<T>();
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const double* row = row_of(statistics, strip, planes.n);
    LaneConstants<T> k;
    for (int lane = 0; lane < lanes; ++lane) {
      const double variance = row[planes.channels() + lane];
      k.mean[lane] = static_cast<T>(row[lane]);
      k.scale[lane] =
          static_cast<T>(w[strip.channel + lane] * inverse_deviation(variance, options.eps));
      k.bias[lane] = b[strip.channel + lane];
    }
    const auto run = [&](auto finish) {
      for_elements<lanes>(strip, planes.pixels, [&](int64_t i, int lane) {
        out[i] = finish((in[i] - k.mean[lane]) * k.scale[lane] + k.bias[lane], i);
      });
    };
    const auto rectify = [](T z) { return z < 0 ? T{0} : z; };
    if (add != nullptr && options.relu) run([=](T z, int64_t i) { return rectify(z + add[i]); });
    if (add != nullptr && !options.relu) run([=](T z, int64_t i) { return z + add[i]; });
    if (add == nullptr && options.relu) run([=](T z, int64_t) { return rectify(z); });
    if (add == nullptr && !options.relu) run([=](T z, int64_t) { return z; });
  });
}

template <class T>
void backward_rows(const Tensor& dy, const Tensor& x, const Tensor& y, const Tensor& statistics,
                   BatchNormOptions options, std::vector<double>& rows) {
  const Planes planes = planes_of(x);
  const T *grad = dy.data<T>(), *in = x.data<T>(), *out = options.relu ? y.data<T>() : nullptr;
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const double* row = row_of(statistics, strip, planes.n);
    double* sums = rows.data() + strip.image * 2 * planes.channels() + strip.channel;
    T mean[kMostLanes];
    for (int lane = 0; lane < lanes; ++lane) mean[lane] = static_cast<T>(row[lane]);
    const auto run = [&](auto dz) {
      sum_elements<lanes>(strip, planes.pixels, sums,
                          [&](int64_t i, int) -> double { return dz(i); });
      sum_elements<lanes>(strip, planes.pixels, sums + planes.channels(), [&](int64_t i, int lane) {
        return static_cast<double>(dz(i)) * static_cast<double>(in[i] - mean[lane]);
      });
    };
    if (options.relu) {
      run([=](int64_t i) { return out[i] > 0 ? grad[i] : T{0}; });
    } else {
      run([=](int64_t i) { return grad[i]; });
    }
    for (int lane = 0; lane < lanes; ++lane) {
      sums[planes.channels() + lane] *=
          inverse_deviation(row[planes.channels() + lane], options.eps);
    }
  });
}

template <class T>
void backward_apply(const BatchNormInputs& in, BatchNormOptions options, Tensor& dx,
                    Tensor& dresidual) {
  const Planes planes = planes_of(in.x);
  const T *grad = in.dy.data<T>(), *x = in.x.data<T>(), *weight = in.weight.data<T>();
  const T* y = options.relu ? in.y.data<T>() : nullptr;
  T *out = dx.data<T>(), *passed = dresidual.defined() ? dresidual.data<T>() : nullptr;
  const double share = in.count > 0 ? 1.0 / static_cast<double>(in.count) : 0.0;
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const double* row = row_of(in.statistics, strip, planes.n);
    const double* sums = row_of(in.sums, strip, planes.n);
    LaneConstants<T> k;
    for (int lane = 0; lane < lanes; ++lane) {
      const double inverse = inverse_deviation(row[planes.channels() + lane], options.eps);
      k.mean[lane] = static_cast<T>(row[lane]);
      k.scale[lane] = static_cast<T>(weight[strip.channel + lane] * inverse);
      k.dz_mean[lane] = static_cast<T>(share * sums[lane]);
      k.slope[lane] = static_cast<T>(share * sums[planes.channels() + lane] * inverse);
    }
    const auto run = [&](auto dz) {
      for_elements<lanes>(strip, planes.pixels, [&](int64_t i, int lane) {
        out[i] = k.scale[lane] * (dz(i) - k.dz_mean[lane] - (x[i] - k.mean[lane]) * k.slope[lane]);
      });
    };
    const auto masked = [=](int64_t i) { return y[i] > 0 ? grad[i] : T{0}; };
    if (options.relu) {
      run(masked);
    } else {
      run([=](int64_t i) { return grad[i]; });
    }
    if (passed == nullptr) return;
    for_elements<lanes>(strip, planes.pixels,
                        [&](int64_t i, int) { passed[i] = options.relu ? masked(i) : grad[i]; });
  });
}

}  // namespace

void batch_norm_statistics(CpuContext& ctx, const Tensor& x, Tensor& statistics) {
  const Timer timer(ctx, "batch_norm statistics", bytes_of(x));
  views_of("batch_norm statistics", x, statistics);
  const Planes planes = planes_of(x);
  require(planes.n * planes.pixels > 0, "batch_norm statistics: x ", x, " has no values");
  std::vector<double> rows(static_cast<size_t>(planes.n * 2 * planes.channels()));
  for_float(x.dtype(), [&](auto zero) { image_moments<decltype(zero)>(x, planes, rows); });
  merge_images(rows, planes.n, planes.pixels, statistics);
}

void batch_norm_update_running(CpuContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var) {
  const int64_t views = statistics.shape()[0], channels = statistics.shape()[2];
  require(running_mean.shape() == Shape{channels} && running_var.shape() == Shape{channels},
          "batch_norm: running estimates [", channels, "] expected, found ", running_mean.shape(),
          " and ", running_var.shape());
  const double count = static_cast<double>(update.count), keep = 1.0 - update.momentum;
  const double unbiased = count / (count - 1.0);
  const double* rows = statistics.data<double>();
  for_float(running_mean.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T *mean = running_mean.data<T>(), *var = running_var.data<T>();
    for (int64_t view = 0; view < views; ++view) {
      const double* row = rows + view * 2 * channels;
      for (int64_t c = 0; c < channels; ++c) {
        mean[c] = static_cast<T>(keep * mean[c] + update.momentum * row[c]);
        var[c] = static_cast<T>(keep * var[c] + update.momentum * unbiased * row[channels + c]);
      }
    }
  });
}

void batch_norm_apply(CpuContext& ctx, const Tensor& x, const Tensor& statistics,
                      const Tensor& weight, const Tensor& bias, const Tensor& residual,
                      BatchNormOptions options, Tensor& y) {
  const Timer timer(ctx, "batch_norm apply", bytes_of(x, residual, y));
  views_of("batch_norm", x, statistics);
  require_same("batch_norm", x, y);
  if (residual.defined()) require_same("batch_norm residual", x, residual);
  for_float(x.dtype(), [&](auto zero) {
    apply<decltype(zero)>(x, statistics, weight, bias, residual, options, y);
  });
}

void batch_norm_backward_reduce(CpuContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& y,
                                const Tensor& statistics, BatchNormOptions options, Tensor& sums) {
  const Timer timer(ctx, "batch_norm backward reduce",
                    bytes_of(dy, x, options.relu ? y : Tensor()));
  views_of("batch_norm backward", x, statistics);
  require_same("batch_norm backward", x, dy);
  require_same("batch_norm backward", statistics, sums);
  const Planes planes = planes_of(x);
  std::vector<double> rows(static_cast<size_t>(planes.n * 2 * planes.channels()));
  for_float(x.dtype(),
            [&](auto zero) { backward_rows<decltype(zero)>(dy, x, y, statistics, options, rows); });
  sum_views(rows, planes.n, sums);
}

void batch_norm_parameter_gradients(CpuContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias) {
  const int64_t views = sums.shape()[0], channels = sums.shape()[2];
  const double* rows = sums.data<double>();
  for_float(dweight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < channels; ++c) {
      double weight_sum = 0.0, bias_sum = 0.0;
      for (int64_t view = 0; view < views; ++view) {
        bias_sum += rows[2 * view * channels + c];
        weight_sum += rows[(2 * view + 1) * channels + c];
      }
      dweight.data<T>()[c] = static_cast<T>(weight_sum);
      dbias.data<T>()[c] = static_cast<T>(bias_sum);
    }
  });
}

void batch_norm_backward_apply(CpuContext& ctx, const BatchNormInputs& inputs,
                               BatchNormOptions options, Tensor& dx, Tensor& dresidual) {
  const Timer timer(
      ctx, "batch_norm backward apply",
      bytes_of(inputs.dy, inputs.x, options.relu ? inputs.y : Tensor(), dx, dresidual));
  views_of("batch_norm backward", inputs.x, inputs.statistics);
  require_same("batch_norm backward", inputs.x, dx);
  for_float(inputs.x.dtype(),
            [&](auto zero) { backward_apply<decltype(zero)>(inputs, options, dx, dresidual); });
}

}  // namespace engine
