#include "engine/cpu/batch_norm.h"
#include "engine/profile.h"

namespace engine {
namespace {

// A function, so that the gradient is loaded whatever z is. If the load had to wait for z, it would
// be slow.
template <class T>
T where_positive(T z, T gradient) {
  return z > 0 ? gradient : T{0};
}

template <class T>
struct Backward {
  struct State {
    LaneConstants<T> k;
    T offset[kMostLanes], slope[kMostLanes];
  };

  const BatchNormInputs& in;
  Planes planes;
  std::vector<double> rows;  // [N, 2, C]: sums of each image
  Tensor sums;
  double share = 0.0;  // 1 / count, or 0
  T *dx = nullptr, *dresidual = nullptr;

  Backward(const BatchNormInputs& inputs, const Tensor& of_parts)
      : in(inputs), planes(planes_of(in.x)), sums(of_parts) {}

  // Before first_pass.
  void make_rows() { rows.resize(static_cast<size_t>(planes.n * 2 * planes.channels())); }

  // Before end_part, or before take_sums and second_pass.
  void set_results(const BatchNormCount& count, Tensor& into_x, Tensor& into_residual) {
    const double values = value_of(count);
    share = values > 0 ? 1.0 / values : 0.0;
    dx = into_x.data<T>();
    dresidual = into_residual.defined() ? into_residual.data<T>() : nullptr;
  }

  // Calls f(dz); dz(element, lane) is the gradient of the relu's input.
  template <class F>
  void with_dz(const LaneConstants<T>& k, F&& f) const {
    const T *dy = in.dy.data<T>(), *x = in.x.data<T>();
    if (!in.options.relu) {
      f([=](int64_t i, int) { return dy[i]; });
    } else if (in.y.defined()) {
      f([=, y = in.y.data<T>()](int64_t i, int) { return where_positive(y[i], dy[i]); });
    } else {
      f([=, &k](int64_t i, int lane) { return where_positive(k.of(x[i], lane), dy[i]); });
    }
  }

  void begin_part(const Strip& strip, auto, State& state) const {
    state.k = LaneConstants<T>(strip, planes.n, in.statistics, in.weight, in.bias, in.options.eps);
  }

  // Sums of dz and dz (x - mean) over an image.
  template <int kWidth>
  void first_pass(const Strip& strip, std::integral_constant<int, kWidth>, const State& state) {
    const T* x = in.x.data<T>();
    const LaneConstants<T>& k = state.k;
    double dz_sums[kWidth] = {}, products[kWidth] = {};
    with_dz(k, [&](auto dz) {
      for_runs(planes.pixels, [&](int64_t begin, int64_t end) {
        T gradients[kWidth], with_x[kWidth];
        sum_run_pairs<kWidth>(strip, begin, end, gradients, with_x, [&](int64_t i, int lane) {
          const T gradient = dz(i, lane);
          return std::pair(gradient, gradient * (x[i] - k.mean[lane]));
        });
        for (int lane = 0; lane < kWidth; ++lane) {
          dz_sums[lane] += gradients[lane];
          products[lane] += with_x[lane];
        }
      });
    });
    double* row = rows.data() + strip.image * 2 * planes.channels() + strip.channel;
    std::copy_n(dz_sums, kWidth, row);
    std::copy_n(products, kWidth, row + planes.channels());
  }

  void end_part(const Strip& strip, auto lanes, State& state) {
    add_images(strip, lanes);
    take_sums(strip, lanes, state);
  }

  // Adds up the sums of a part's images, in order.
  template <int kWidth>
  void add_images(const Strip& strip, std::integral_constant<int, kWidth>) {
    const int64_t channels = planes.channels(), images = planes.n / sums.shape()[0];
    double dz_sums[kWidth] = {}, products[kWidth] = {};
    for (int64_t n = 0; n < images; ++n) {
      const double* row = rows.data() + (strip.image + n) * 2 * channels + strip.channel;
      for (int lane = 0; lane < kWidth; ++lane) {
        dz_sums[lane] += row[lane];
        products[lane] += row[channels + lane];
      }
    }
    const int64_t place = place_in(sums, strip, planes.n);
    const double* variance = in.statistics.data<double>() + place + channels;
    double* out = sums.data<double>() + place;
    for (int lane = 0; lane < kWidth; ++lane) {
      out[lane] = dz_sums[lane];
      out[channels + lane] = products[lane] * inverse_deviation(variance[lane], in.options.eps);
    }
  }

  template <int kWidth>
  void take_sums(const Strip& strip, std::integral_constant<int, kWidth>, State& state) const {
    const int64_t channels = planes.channels(), place = place_in(sums, strip, planes.n);
    const double* variance = in.statistics.data<double>() + place + channels;
    const double* sum = sums.data<double>() + place;
    for (int lane = 0; lane < kWidth; ++lane) {
      const double inverse = inverse_deviation(variance[lane], in.options.eps);
      state.offset[lane] = static_cast<T>(share * sum[lane]);
      state.slope[lane] = static_cast<T>(share * sum[channels + lane] * inverse);
    }
  }

  template <int kWidth>
  void second_pass(const Strip& strip, std::integral_constant<int, kWidth>,
                   const State& state) const {
    const T* x = in.x.data<T>();
    T *out = dx, *passed = dresidual;
    const LaneConstants<T>& k = state.k;
    with_dz(k, [&](auto dz) {
      const auto gradient = [&](T d, int64_t i, int lane) {
        return k.scale[lane] * (d - state.offset[lane] - (x[i] - k.mean[lane]) * state.slope[lane]);
      };
      if (passed == nullptr) {
        return for_elements<kWidth>(strip, planes.pixels, [&](int64_t i, int lane) {
          out[i] = gradient(dz(i, lane), i, lane);
        });
      }
      for_elements<kWidth>(strip, planes.pixels, [&](int64_t i, int lane) {
        const T d = dz(i, lane);
        out[i] = gradient(d, i, lane);
        passed[i] = d;
      });
    });
  }
};

}  // namespace

void batch_norm_backward(CpuContext& ctx, const BatchNormInputs& in, const BatchNormCount& count,
                         Tensor& sums, Tensor& dx, Tensor& dresidual) {
  const Timer timer(ctx, "batch_norm backward", bytes_of(in.dy, in.x, in.y, dx, dresidual));
  check_batch_norm_backward(in, sums, dx, dresidual);
  const int64_t parts = in.statistics.shape()[0];
  for_float(in.x.dtype(), [&](auto zero) {
    Backward<decltype(zero)> backward(in, sums);
    backward.make_rows();
    backward.set_results(count, dx, dresidual);
    TwoPasses(backward.planes, parts, sizeof(zero), backward).run();
  });
}

void batch_norm_backward_sums(CpuContext& ctx, const BatchNormInputs& in, Tensor& sums) {
  const Timer timer(ctx, "batch_norm backward sums", bytes_of(in.dy, in.x, in.y));
  check_batch_norm_backward_sums(in, sums);
  for_float(in.x.dtype(), [&](auto zero) {
    using Kernel = Backward<decltype(zero)>;
    Kernel backward(in, sums);
    backward.make_rows();
    for_strips(backward.planes, [&](const Strip& strip, auto lanes) {
      typename Kernel::State state;
      backward.begin_part(strip, lanes, state);
      backward.first_pass(strip, lanes, state);
    });
    const int64_t parts = sums.shape()[0], images = backward.planes.n / parts;
    for (int64_t part = 0; part < parts; ++part) {
      for (const Strip& strip : strips_of(backward.planes)) {
        with_lanes(in_image(strip, part * images, backward.planes),
                   [&](const Strip& first, auto lanes) { backward.add_images(first, lanes); });
      }
    }
  });
}

void batch_norm_backward_apply(CpuContext& ctx, const BatchNormInputs& in,
                               const BatchNormCount& count, const Tensor& sums, Tensor& dx,
                               Tensor& dresidual) {
  const Timer timer(ctx, "batch_norm backward apply", bytes_of(in.dy, in.x, in.y, dx, dresidual));
  check_batch_norm_backward(in, sums, dx, dresidual);
  for_float(in.x.dtype(), [&](auto zero) {
    using Kernel = Backward<decltype(zero)>;
    Kernel backward(in, sums);
    backward.set_results(count, dx, dresidual);
    for_strips(backward.planes, [&](const Strip& strip, auto lanes) {
      typename Kernel::State state;
      backward.begin_part(strip, lanes, state);
      backward.take_sums(strip, lanes, state);
      backward.second_pass(strip, lanes, state);
    });
  });
}

void batch_norm_parameter_gradients(CpuContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias) {
  const int64_t parts = sums.shape()[0], channels = sums.shape()[2];
  const double* rows = sums.data<double>();
  for_float(dweight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < channels; ++c) {
      double weight_sum = 0.0, bias_sum = 0.0;
      for (int64_t part = 0; part < parts; ++part) {
        bias_sum += rows[2 * part * channels + c];
        weight_sum += rows[(2 * part + 1) * channels + c];
      }
      dweight.data<T>()[c] = static_cast<T>(weight_sum);
      dbias.data<T>()[c] = static_cast<T>(bias_sum);
    }
  });
}

}  // namespace engine
