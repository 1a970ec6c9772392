#include "engine/kernels/pointwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/bf16.h"
#include "engine/parallel.h"
#include "engine/profile.h"

namespace engine {
namespace {

const int64_t kGrain = grain_of(1);

// y[i] = f(inputs[i]...) for tensors of one shape, type and layout.
template <class F, class... Inputs>
void map(const char* op, Tensor& y, F f, const Inputs&... inputs) {
  (require_same(op, y, inputs), ...);
  for_float(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto run = [&f, out = y.data<T>()](const auto*... in) {
      return [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(f(in[i]...));
      };
    };
    parallel_for(y.elements(), kGrain, run(inputs.template data<T>()...));
  });
}

template <class T>
T to_power(T x, double power) {
  if (power == 1.0) return x;
  if (power == 2.0) return x * x;
  if (power == 3.0) return x * x * x;
  return std::pow(x, static_cast<T>(power));
}

template <class T>
void fill_elements(Tensor& x, double value) {
  T* out = x.data<T>();
  parallel_for(x.elements(), kGrain, [=](int64_t begin, int64_t end) {
    std::fill(out + begin, out + end, static_cast<T>(value));
  });
}

// Copies [n, blocks, pixels, lanes] to the same channels with another number of lanes per block.
// Goes through the output plane by plane, so that each step touches a few cache lines of both
// sides.
template <class From, class To>
void rearrange(const From* x, const Planes& from, To* y, const Planes& to) {
  parallel_for(to.n * to.blocks, grain_of(to.pixels * to.lanes), [=](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t image = plane / to.blocks, first_channel = plane % to.blocks * to.lanes;
      To* out = y + plane * to.pixels * to.lanes;
      for (int64_t lane = 0; lane < to.lanes; ++lane) {
        const int64_t channel = first_channel + lane;
        const From* in = x +
                         (image * from.blocks + channel / from.lanes) * from.pixels * from.lanes +
                         channel % from.lanes;
        for (int64_t pixel = 0; pixel < to.pixels; ++pixel) {
          out[pixel * to.lanes + lane] = static_cast<To>(in[pixel * from.lanes]);
        }
      }
    }
  });
}

template <class From, class To>
void convert_elements(const Tensor& x, Tensor& y) {
  const From* in = x.data<From>();
  To* out = y.data<To>();
  if (x.layout() == y.layout()) {
    parallel_for(x.elements(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = static_cast<To>(in[i]);
    });
  } else {
    rearrange(in, planes_of(x), out, planes_of(y));
  }
}

}  // namespace

void fill(CpuContext& ctx, Tensor& x, double value) {
  const Timer timer(ctx, "fill", bytes_of(x));
  if (x.dtype() == DType::i64) return fill_elements<int64_t>(x, value);
  for_float(x.dtype(), [&](auto zero) { fill_elements<decltype(zero)>(x, value); });
}

void copy(CpuContext& ctx, const Tensor& x, Tensor& y) {
  const Timer timer(ctx, "copy", bytes_of(x, y));
  check_copy(x, y);
  require(x.device() == y.device(), "copy: expected two tensors on the CPU, found ", x.device(),
          " and ", y.device());
  std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
}

void convert(CpuContext& ctx, const Tensor& x, Tensor& y) {
  const Timer timer(ctx, "convert", bytes_of(x, y));
  check_convert(x, y);
  for_float_or_bf16(x.dtype(), [&](auto from) {
    for_float_or_bf16(y.dtype(),
                      [&](auto to) { convert_elements<decltype(from), decltype(to)>(x, y); });
  });
}

void add(CpuContext& ctx, const Tensor& a, const Tensor& b, Tensor& y) {
  const Timer timer(ctx, "add", bytes_of(a, b, y));
  map(
      "add", y, [](auto u, auto v) { return u + v; }, a, b);
}

void scale(CpuContext& ctx, const Tensor& x, double factor, Tensor& y) {
  const Timer timer(ctx, "scale", bytes_of(x, y));
  map(
      "scale", y, [factor](auto u) { return u * static_cast<decltype(u)>(factor); }, x);
}

void relu_forward(CpuContext& ctx, const Tensor& x, Tensor& y) {
  const Timer timer(ctx, "relu", bytes_of(x, y));
  map(
      "relu", y, [](auto u) { return u < 0 ? decltype(u){0} : u; }, x);  // a NaN stays NaN
}

void relu_backward(CpuContext& ctx, const Tensor& dy, const Tensor& y, Tensor& dx) {
  const Timer timer(ctx, "relu backward", bytes_of(dy, y, dx));
  map(
      "relu backward", dx, [](auto d, auto v) { return v > 0 ? d : decltype(d){0}; }, dy, y);
}

void clamp_power_forward(CpuContext& ctx, const Tensor& x, ClampPower o, Tensor& y) {
  const Timer timer(ctx, "clamp_power", bytes_of(x, y));
  const auto f = [o](auto u) {
    using T = decltype(u);
    const T low = static_cast<T>(o.low);
    return to_power((u < low ? low : u) + static_cast<T>(o.shift), o.power);
  };
  map("clamp_power", y, f, x);
}

void clamp_power_backward(CpuContext& ctx, const Tensor& dy, const Tensor& x, ClampPower o,
                          Tensor& dx) {
  const Timer timer(ctx, "clamp_power backward", bytes_of(dy, x, dx));
  const auto f = [o](auto d, auto u) {
    using T = decltype(u);
    if (u < static_cast<T>(o.low)) return T{0};
    if (o.power == 1.0) return d;
    return d * static_cast<T>(o.power) * to_power(u + static_cast<T>(o.shift), o.power - 1.0);
  };
  map("clamp_power backward", dx, f, dy, x);
}

void add_bias(CpuContext& ctx, const Tensor& x, const Tensor& bias, Tensor& y) {
  const Timer timer(ctx, "add_bias", bytes_of(x, y));
  check_add_bias(x, bias, y);
  const int64_t rows = x.shape()[0], columns = x.shape()[1];
  for_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *in = x.data<T>(), *b = bias.data<T>();
    T* out = y.data<T>();
    for (int64_t i = 0; i < rows * columns; ++i) out[i] = in[i] + b[i % columns];
  });
}

void add_bias_backward(CpuContext& ctx, const Tensor& dy, Tensor& db) {
  const Timer timer(ctx, "add_bias backward", bytes_of(dy));
  check_add_bias_backward(dy, db);
  const int64_t rows = dy.shape()[0], columns = dy.shape()[1];
  for_float(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = dy.data<T>();
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0.0;
      for (int64_t i = 0; i < rows; ++i) sum += in[i * columns + j];
      db.data<T>()[j] = static_cast<T>(sum);
    }
  });
}

}  // namespace engine
