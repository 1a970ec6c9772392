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

// statistics or sums: [views, 2, C]; returns the row of this image's view.
const double* row_of(const Tensor& table, const Strip& strip, int64_t images) {
  const int64_t views = table.shape()[0], channels = table.shape()[2];
  const int64_t view = strip.image / (images / views);
  return table.data<double>() + view * 2 * channels + strip.channel;
}

double inverse_deviation(double variance, double eps) { return 1.0 / std::sqrt(variance + eps); }

// The constants of one strip, as arrays over its lanes in the tensors' type.
template <class T>
struct LaneConstants {
  T mean[kMostLanes], scale[kMostLanes], bias[kMostLanes];

  // The batch norm of one value, before residual and relu.
  T of(T x, int lane) const { return (x - mean[lane]) * scale[lane] + bias[lane]; }
};

template <class T>
LaneConstants<T> lane_constants(const Strip& strip, int64_t images, const Tensor& statistics,
                                const Tensor& weight, const Tensor& bias, double eps) {
  const double* row = row_of(statistics, strip, images);
  const double* variance = row + statistics.shape()[2];
  const T *w = weight.data<T>() + strip.channel, *b = bias.data<T>() + strip.channel;
  LaneConstants<T> k;
  for (int64_t lane = 0; lane < strip.lanes; ++lane) {
    k.mean[lane] = static_cast<T>(row[lane]);
    k.scale[lane] = static_cast<T>(w[lane] * inverse_deviation(variance[lane], eps));
    k.bias[lane] = b[lane];
  }
  return k;
}

// Adds up per-image rows [N, 2, C] into per-view rows [views, 2, C], in image order.
void sum_views(const std::vector<double>& rows, int64_t images, Tensor& sums) {
  const int64_t views = sums.shape()[0], width = 2 * sums.shape()[2], per_view = images / views;
  for (int64_t view = 0; view < views; ++view) {
    double* out = sums.data<double>() + view * width;
    std::fill_n(out, width, 0.0);
    for (int64_t n = 0; n < per_view; ++n) {
      const double* row = rows.data() + (view * per_view + n) * width;
      for (int64_t c = 0; c < width; ++c) out[c] += row[c];
    }
  }
}

// How moments of a few values are added to those of `count` others: Chan, Golub, LeVeque, 1979.
struct Merge {
  double share, spread;  // of the difference of the means in the new mean and squared deviations

  Merge(int64_t count, int64_t added)
      : share(static_cast<double>(added) / static_cast<double>(count + added)),
        spread(static_cast<double>(count) * share) {}

  // mean and m2 (the sum of squared deviations from it) of all values so far.
  void add(double added_mean, double added_m2, double& mean, double& m2) const {
    const double difference = added_mean - mean;
    mean += difference * share;
    m2 += added_m2 + difference * difference * spread;
  }
};

// Merges the means and squared deviations of single images (rows [N, 2, C], each over `pixels`
// values) into mean and biased variance a view.
void merge_images(const std::vector<double>& rows, int64_t images, int64_t pixels,
                  Tensor& statistics) {
  const int64_t views = statistics.shape()[0], channels = statistics.shape()[2];
  const int64_t per_view = images / views;
  for (int64_t view = 0; view < views; ++view) {
    double *mean = statistics.data<double>() + view * 2 * channels, *m2 = mean + channels;
    std::fill_n(mean, 2 * channels, 0.0);
    for (int64_t n = 0; n < per_view; ++n) {
      const double* row = rows.data() + (view * per_view + n) * 2 * channels;
      const Merge merge(n * pixels, pixels);
      for (int64_t c = 0; c < channels; ++c) merge.add(row[c], row[channels + c], mean[c], m2[c]);
    }
    for (int64_t c = 0; c < channels; ++c) m2[c] /= static_cast<double>(per_view * pixels);
  }
}

// rows [N, 2, C]: mean and sum of squared deviations of every image.
template <class T>
void image_moments(const Tensor& x, const Planes& planes, std::vector<double>& rows) {
  const T* in = x.data<T>();
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    constexpr int kWidth = lanes;
    double mean[kWidth] = {}, m2[kWidth] = {};
    for_runs(planes.pixels, [&](int64_t begin, int64_t end) {
      // Relative to the run's first pixel, so that a large mean costs no digits in T either.
      T first[kWidth], offset[kWidth], squares[kWidth];
      std::copy_n(in + strip.offset + begin * strip.stride, kWidth, first);
      sum_run<lanes>(strip, begin, end, offset,
                     [&](int64_t i, int lane) { return in[i] - first[lane]; });
#pragma omp simd
      for (int lane = 0; lane < lanes; ++lane) offset[lane] /= static_cast<T>(end - begin);
      sum_run<lanes>(strip, begin, end, squares, [&](int64_t i, int lane) {
        const T deviation = in[i] - first[lane] - offset[lane];
        return deviation * deviation;
      });
      const Merge merge(begin, end - begin);
#pragma omp simd
      for (int lane = 0; lane < lanes; ++lane) {
        merge.add(double{first[lane]} + offset[lane], squares[lane], mean[lane], m2[lane]);
      }
    });
    double* row = rows.data() + strip.image * 2 * planes.channels() + strip.channel;
    std::copy_n(mean, kWidth, row);
    std::copy_n(m2, kWidth, row + planes.channels());
  });
}

template <class T>
void apply(const Tensor& x, const Tensor& statistics, const Tensor& weight, const Tensor& bias,
           const Tensor& residual, BatchNormOptions options, Tensor& y) {
  const Planes planes = planes_of(x);
  const T* in = x.data<T>();
  const T* add = residual.defined() ? residual.data<T>() : nullptr;
  T* out = y.data<T>();
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const LaneConstants<T> k =
        lane_constants<T>(strip, planes.n, statistics, weight, bias, options.eps);
    const auto run = [&](auto finish) {
      for_elements<lanes>(strip, planes.pixels,
                          [&](int64_t i, int lane) { out[i] = finish(k.of(in[i], lane), i); });
    };
    const auto rectify = [](T z) { return z < 0 ? T{0} : z; };
    if (add != nullptr && options.relu) run([=](T z, int64_t i) { return rectify(z + add[i]); });
    if (add != nullptr && !options.relu) run([=](T z, int64_t i) { return z + add[i]; });
    if (add == nullptr && options.relu) run([=](T z, int64_t) { return rectify(z); });
    if (add == nullptr && !options.relu) run([=](T z, int64_t) { return z; });
  });
}

// A function, so that the gradient is loaded in any case: a load that waits for z is a slow one.
template <class T>
T where_positive(T z, T gradient) {
  return z > 0 ? gradient : T{0};
}

// Calls f(dz), where dz(element, lane) is the gradient behind the relu.
template <class T, class F>
void with_dz(const BatchNormInputs& inputs, const LaneConstants<T>& k, F&& f) {
  const T *dy = inputs.dy.data<T>(), *x = inputs.x.data<T>();
  if (!inputs.options.relu) {
    f([=](int64_t i, int) { return dy[i]; });
  } else if (inputs.y.defined()) {
    f([=, y = inputs.y.data<T>()](int64_t i, int) { return where_positive(y[i], dy[i]); });
  } else {
    f([=, &k](int64_t i, int lane) { return where_positive(k.of(x[i], lane), dy[i]); });
  }
}

template <class T>
void backward_rows(const BatchNormInputs& in, std::vector<double>& rows) {
  const Planes planes = planes_of(in.x);
  const T* x = in.x.data<T>();
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const LaneConstants<T> k =
        lane_constants<T>(strip, planes.n, in.statistics, in.weight, in.bias, in.options.eps);
    constexpr int kWidth = lanes;
    double sums[kWidth] = {}, products[kWidth] = {};
    with_dz(in, k, [&](auto dz) {
      for_runs(planes.pixels, [&](int64_t begin, int64_t end) {
        T gradients[kWidth], with_x[kWidth];
        sum_run_pairs<lanes>(strip, begin, end, gradients, with_x, [&](int64_t i, int lane) {
          const T gradient = dz(i, lane);
          return std::pair(gradient, gradient * (x[i] - k.mean[lane]));
        });
        for (int lane = 0; lane < lanes; ++lane) {
          sums[lane] += gradients[lane];
          products[lane] += with_x[lane];
        }
      });
    });
    double* row = rows.data() + strip.image * 2 * planes.channels() + strip.channel;
    const double* variance = row_of(in.statistics, strip, planes.n) + planes.channels();
    for (int lane = 0; lane < lanes; ++lane) {
      row[lane] = sums[lane];
      row[planes.channels() + lane] =
          products[lane] * inverse_deviation(variance[lane], in.options.eps);
    }
  });
}

template <class T>
void backward_apply(const BatchNormInputs& in, const Tensor& sums, int64_t count, Tensor& dx,
                    Tensor& dresidual) {
  const Planes planes = planes_of(in.x);
  const T* x = in.x.data<T>();
  T *out = dx.data<T>(), *passed = dresidual.defined() ? dresidual.data<T>() : nullptr;
  const double share = count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
  for_strips(planes, [&](const Strip& strip, auto lanes) {
    const LaneConstants<T> k =
        lane_constants<T>(strip, planes.n, in.statistics, in.weight, in.bias, in.options.eps);
    const double* row = row_of(sums, strip, planes.n);
    const double* variance = row_of(in.statistics, strip, planes.n) + planes.channels();
    T offset[kMostLanes], slope[kMostLanes];
    for (int lane = 0; lane < lanes; ++lane) {
      const double inverse = inverse_deviation(variance[lane], in.options.eps);
      offset[lane] = static_cast<T>(share * row[lane]);
      slope[lane] = static_cast<T>(share * row[planes.channels() + lane] * inverse);
    }
    with_dz(in, k, [&](auto dz) {
      const auto gradient = [&](T d, int64_t i, int lane) {
        return k.scale[lane] * (d - offset[lane] - (x[i] - k.mean[lane]) * slope[lane]);
      };
      if (passed == nullptr) {
        return for_elements<lanes>(strip, planes.pixels, [&](int64_t i, int lane) {
          out[i] = gradient(dz(i, lane), i, lane);
        });
      }
      for_elements<lanes>(strip, planes.pixels, [&](int64_t i, int lane) {
        const T d = dz(i, lane);
        out[i] = gradient(d, i, lane);
        passed[i] = d;
      });
    });
  });
}

void check_backward(const BatchNormInputs& in) {
  constexpr const char* kOp = "batch_norm backward";
  views_of(kOp, in.x, in.statistics);
  require_same(kOp, in.x, in.dy);
  if (in.options.relu && in.y.defined()) require_same(kOp, in.x, in.y);
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

void batch_norm_backward_reduce(CpuContext& ctx, const BatchNormInputs& inputs, Tensor& sums) {
  const Timer timer(ctx, "batch_norm backward reduce", bytes_of(inputs.dy, inputs.x, inputs.y));
  check_backward(inputs);
  require_same("batch_norm backward", inputs.statistics, sums);
  const Planes planes = planes_of(inputs.x);
  std::vector<double> rows(static_cast<size_t>(planes.n * 2 * planes.channels()));
  for_float(inputs.x.dtype(), [&](auto zero) { backward_rows<decltype(zero)>(inputs, rows); });
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

void batch_norm_backward_apply(CpuContext& ctx, const BatchNormInputs& inputs, const Tensor& sums,
                               int64_t count, Tensor& dx, Tensor& dresidual) {
  const Timer timer(ctx, "batch_norm backward apply",
                    bytes_of(inputs.dy, inputs.x, inputs.y, dx, dresidual));
  check_backward(inputs);
  require_same("batch_norm backward", inputs.x, dx);
  for_float(inputs.x.dtype(),
            [&](auto zero) { backward_apply<decltype(zero)>(inputs, sums, count, dx, dresidual); });
}

}  // namespace engine
