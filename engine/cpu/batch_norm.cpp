#include "engine/cpu/batch_norm.h"

#include "engine/profile.h"

namespace engine {
namespace {

// Adds the moments of `added` values to those of `count` others: Chan, Golub and LeVeque, 1979.
struct Merge {
  double share;   // of the difference of the means that is added to the mean
  double spread;  // of its square that is added to the squared deviations

  Merge(int64_t count, int64_t added)
      : Merge(static_cast<double>(count), static_cast<double>(added)) {}
  Merge(double count, double added) : share(added / (count + added)), spread(count * share) {}

  // Updates mean and m2, the sum of squared deviations from the mean.
  void add(double added_mean, double added_m2, double& mean, double& m2) const {
    const double difference = added_mean - mean;
    mean += difference * share;
    m2 += added_m2 + difference * difference * spread;
  }
};

// Takes the mean and the squared deviations of each image, kept in rows [N, 2, C], and merges them
// into the statistics of each part.
template <class T>
class Moments {
 public:
  Moments(const Tensor& x, Tensor& statistics)
      : in_(x.data<T>()),
        planes_(planes_of(x)),
        rows_(static_cast<size_t>(planes_.n * 2 * planes_.channels())),
        statistics_(statistics) {}

  template <int kWidth>
  void of_image(const Strip& strip, std::integral_constant<int, kWidth> lanes) {
    double mean[kWidth] = {}, m2[kWidth] = {};
    for_runs(planes_.pixels, [&](int64_t begin, int64_t end) {
      // Relative to the run's first pixel, so that a large mean costs no digits in T.
      T first[kWidth], offset[kWidth], squares[kWidth];
      std::copy_n(in_ + strip.offset + begin * strip.stride, kWidth, first);
      sum_run<lanes>(strip, begin, end, offset,
                     [&](int64_t i, int lane) { return in_[i] - first[lane]; });
#pragma omp simd
      for (int lane = 0; lane < lanes; ++lane) offset[lane] /= static_cast<T>(end - begin);
      sum_run<lanes>(strip, begin, end, squares, [&](int64_t i, int lane) {
        const T deviation = in_[i] - first[lane] - offset[lane];
        return deviation * deviation;
      });
      const Merge merge(begin, end - begin);
#pragma omp simd
      for (int lane = 0; lane < lanes; ++lane) {
        merge.add(double{first[lane]} + offset[lane], squares[lane], mean[lane], m2[lane]);
      }
    });
    double* row = rows_.data() + strip.image * 2 * planes_.channels() + strip.channel;
    std::copy_n(mean, kWidth, row);
    std::copy_n(m2, kWidth, row + planes_.channels());
  }

  // The statistics of the part that begins with the strip's image: those of its images, merged in
  // order.
  template <int kWidth>
  void of_part(const Strip& strip, std::integral_constant<int, kWidth> lanes) {
    const int64_t channels = planes_.channels(), images = planes_.n / statistics_.shape()[0];
    double mean[kWidth] = {}, m2[kWidth] = {};
    for (int64_t n = 0; n < images; ++n) {
      const double* row = rows_.data() + (strip.image + n) * 2 * channels + strip.channel;
      const Merge merge(n * planes_.pixels, planes_.pixels);
#pragma omp simd
      for (int lane = 0; lane < lanes; ++lane) {
        merge.add(row[lane], row[channels + lane], mean[lane], m2[lane]);
      }
    }
    double* out = statistics_.data<double>() + place_in(statistics_, strip, planes_.n);
    for (int lane = 0; lane < lanes; ++lane) {
      out[lane] = mean[lane];
      out[channels + lane] = m2[lane] / static_cast<double>(images * planes_.pixels);
    }
  }

 private:
  const T* in_;
  Planes planes_;
  std::vector<double> rows_;
  Tensor& statistics_;
};

// Computes y from x and the constants of a strip.
template <class T>
class Apply {
 public:
  Apply(const Tensor& x, const Tensor& residual, bool relu, Tensor& y)
      : in_(x.data<T>()),
        add_(residual.defined() ? residual.data<T>() : nullptr),
        out_(y.data<T>()),
        relu_(relu),
        pixels_(planes_of(x).pixels) {}

  template <int kWidth>
  void operator()(const Strip& strip, std::integral_constant<int, kWidth>,
                  const LaneConstants<T>& k) const {
    const auto run = [&](auto finish) {
      for_elements<kWidth>(strip, pixels_, [&, out = out_, in = in_](int64_t i, int lane) {
        out[i] = finish(k.of(in[i], lane), i);
      });
    };
    const auto rectify = [](T z) { return z < 0 ? T{0} : z; };
    const T* add = add_;
    if (add != nullptr && relu_) run([=](T z, int64_t i) { return rectify(z + add[i]); });
    if (add != nullptr && !relu_) run([=](T z, int64_t i) { return z + add[i]; });
    if (add == nullptr && relu_) run([=](T z, int64_t) { return rectify(z); });
    if (add == nullptr && !relu_) run([=](T z, int64_t) { return z; });
  }

 private:
  const T *in_, *add_;
  T* out_;
  bool relu_;
  int64_t pixels_;
};

template <class T>
struct Normalize {
  using State = LaneConstants<T>;

  Moments<T> moments;
  Apply<T> apply;
  int64_t images;
  const Tensor &weight, &bias, &statistics;
  double eps;

  void begin_part(const Strip&, auto, State&) {}
  void first_pass(const Strip& strip, auto lanes, State&) { moments.of_image(strip, lanes); }
  void end_part(const Strip& strip, auto lanes, State& k) {
    moments.of_part(strip, lanes);
    k = LaneConstants<T>(strip, images, statistics, weight, bias, eps);
  }
  void second_pass(const Strip& strip, auto lanes, const State& k) { apply(strip, lanes, k); }
};

}  // namespace

void batch_norm_statistics(CpuContext& ctx, const Tensor& x, Tensor& statistics) {
  const Timer timer(ctx, "batch_norm statistics", bytes_of(x));
  check_batch_norm_statistics("batch_norm statistics", x, statistics);
  const int64_t parts = statistics.shape()[0];
  const Planes planes = planes_of(x);
  for_float(x.dtype(), [&](auto zero) {
    Moments<decltype(zero)> moments(x, statistics);
    for_strips(planes, [&](const Strip& strip, auto lanes) { moments.of_image(strip, lanes); });
    for (int64_t part = 0; part < parts; ++part) {
      for (const Strip& strip : strips_of(planes)) {
        with_lanes(in_image(strip, part * (planes.n / parts), planes),
                   [&](const Strip& first, auto lanes) { moments.of_part(first, lanes); });
      }
    }
  });
}

void batch_norm_merge(CpuContext&, const Tensor& messages, Tensor& statistics, Tensor& count) {
  check_batch_norm_merge(messages, statistics, count);
  const int64_t parts = statistics.shape()[0], channels = statistics.shape()[2];
  const int64_t ranks = messages.shape()[0], values = statistics.elements();
  double *out = statistics.data<double>(), *total = count.data<double>();
  std::fill_n(out, values, 0.0);  // means and, until the end, squared deviations
  *total = 0.0;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const double* message = messages.data<double>() + rank * (values + 1);
    const double added = message[values];
    const Merge merge(*total, added);
    for (int64_t part = 0; part < parts; ++part) {
      const double* row = message + part * 2 * channels;
      double* merged = out + part * 2 * channels;
      for (int64_t c = 0; c < channels; ++c) {
        merge.add(row[c], row[channels + c] * added, merged[c], merged[channels + c]);
      }
    }
    *total += added;
  }
  for (int64_t part = 0; part < parts; ++part) {
    double* squares = out + (part * 2 + 1) * channels;
    for (int64_t c = 0; c < channels; ++c) squares[c] /= *total;
  }
}

void batch_norm_update_running(CpuContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var) {
  check_batch_norm_update_running(statistics, running_mean, running_var);
  const int64_t parts = statistics.shape()[0], channels = statistics.shape()[2];
  const double count = value_of(update.count), keep = 1.0 - update.momentum;
  const double unbiased = count / (count - 1.0);
  const double* rows = statistics.data<double>();
  for_float(running_mean.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T *mean = running_mean.data<T>(), *var = running_var.data<T>();
    for (int64_t part = 0; part < parts; ++part) {
      const double* row = rows + part * 2 * channels;
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
  check_batch_norm_apply(x, statistics, residual, y);
  const Planes planes = planes_of(x);
  for_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Apply<T> apply(x, residual, options.relu, y);
    for_strips(planes, [&](const Strip& strip, auto lanes) {
      apply(strip, lanes, LaneConstants<T>(strip, planes.n, statistics, weight, bias, options.eps));
    });
  });
}

void batch_norm_forward(CpuContext& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y) {
  const Timer timer(ctx, "batch_norm", bytes_of(x, residual, y));
  check_batch_norm_apply(x, statistics, residual, y);
  const Planes planes = planes_of(x);
  for_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Normalize<T> normalize{Moments<T>(x, statistics),
                           Apply<T>(x, residual, options.relu, y),
                           planes.n,
                           weight,
                           bias,
                           statistics,
                           options.eps};
    TwoPasses(planes, statistics.shape()[0], sizeof(T), normalize).run();
  });
}

}  // namespace engine
