#include "engine/cuda/kernels/vectors.cuh"
#include "engine/kernels/pointwise.h"

namespace engine {
namespace {

// y[i] = f(inputs[i]...), computed in f32.
template <int kWidth, class F, class T, class... Inputs>
__global__ void map_kernel(int64_t count, F f, T* y, const Inputs*... inputs) {
  for_each_index(count / kWidth, [&](int64_t i) {
    Pack<T, kWidth> out;
    const auto apply = [&](const auto&... in) {
      for (int k = 0; k < kWidth; ++k) {
        out.values[k] = static_cast<T>(f(static_cast<float>(in.values[k])...));
      }
    };
    apply(Pack<T, kWidth>(pack_at<kWidth>(inputs + i * kWidth))...);
    pack_at<kWidth>(y + i * kWidth) = out;
  });
}

template <class F, class... Inputs>
void map(CudaContext& ctx, const char* op, Tensor& y, F f, const Inputs&... inputs) {
  (require_same(op, y, inputs), ...);
  for_activation(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const int64_t count = y.elements();
    const auto run = [&](T* out, const auto*... in) {
      for_width<T>(count, {out, in...}, [&](auto width) {
        launch(ctx, map_kernel<width, F, T, std::remove_cvref_t<decltype(*in)>...>,
               grid_over(ctx, count / width), count, f, out, in...);
      });
    };
    run(y.data<T>(), inputs.template data<T>()...);
  });
}

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};

struct Scale {
  float factor;
  __device__ float operator()(float x) const { return factor * x; }
};

struct Relu {
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }  // a NaN stays NaN
};

struct ReluBackward {
  __device__ float operator()(float dy, float y) const { return y > 0.0f ? dy : 0.0f; }
};

__device__ float to_power(float x, float power) {
  if (power == 1.0f) return x;
  if (power == 2.0f) return x * x;
  if (power == 3.0f) return x * x * x;
  return powf(x, power);
}

struct PowerForward {
  float low, power, shift;
  __device__ float operator()(float x) const {
    return to_power((x < low ? low : x) + shift, power);
  }
};

struct PowerBackward {
  float low, power, shift;
  __device__ float operator()(float dy, float x) const {
    if (x < low) return 0.0f;
    return power == 1.0f ? dy : dy * power * to_power(x + shift, power - 1.0f);
  }
};

template <class T>
__global__ void fill_kernel(int64_t count, T value, T* x) {
  for_each_index(count, [&](int64_t i) { x[i] = value; });
}

template <class To, class From>
__device__ To converted(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else {
    return static_cast<To>(static_cast<float>(x));
  }
}

template <class From, class To>
__global__ void convert_kernel(int64_t count, const From* x, To* y) {
  for_each_index(count, [&](int64_t i) { y[i] = converted<To>(x[i]); });
}

// Copies [n, blocks, pixels, lanes] to the same channels split into other blocks and lanes.
template <class From, class To>
__global__ void rearrange_kernel(Planes from, const From* x, Planes to, To* y) {
  const int64_t count = to.n * to.blocks * to.pixels * to.lanes;
  for_each_index(count, [&](int64_t i) {
    const int64_t lane = i % to.lanes, pixel = i / to.lanes % to.pixels;
    const int64_t plane = i / (to.lanes * to.pixels), image = plane / to.blocks;
    const int64_t channel = plane % to.blocks * to.lanes + lane;
    const int64_t source = (image * from.blocks + channel / from.lanes) * from.pixels + pixel;
    y[i] = converted<To>(x[source * from.lanes + channel % from.lanes]);
  });
}

__global__ void add_bias_kernel(int64_t count, int64_t columns, const float* x, const float* bias,
                                float* y) {
  for_each_index(count, [&](int64_t i) { y[i] = x[i] + bias[i % columns]; });
}

// One thread per column.
__global__ void sum_rows_kernel(int64_t rows, int64_t columns, const float* dy, float* db) {
  for_each_index(columns, [&](int64_t j) {
    double sum = 0.0;
    for (int64_t i = 0; i < rows; ++i) sum += dy[i * columns + j];
    db[j] = static_cast<float>(sum);
  });
}

// Calls f with a value of the type `dtype`, for kernels that take f64 too.
template <class F>
void for_stored(DType dtype, F&& f) {
  if (dtype == DType::f64) return f(double{});
  for_activation(dtype, f);
}

}  // namespace

void fill(CudaContext& ctx, Tensor& x, double value) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, fill_kernel<T>, grid_over(ctx, x.elements()), x.elements(), static_cast<T>(value),
           x.data<T>());
  };
  if (x.dtype() == DType::i64) return run(int64_t{});
  for_stored(x.dtype(), run);
}

void convert(CudaContext& ctx, const Tensor& x, Tensor& y) {
  check_convert(x, y);
  for_stored(x.dtype(), [&](auto from) {
    for_stored(y.dtype(), [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const Grid grid = grid_over(ctx, x.elements());
      const From* in = x.data<From>();
      if (x.layout() == y.layout()) {
        launch(ctx, convert_kernel<From, To>, grid, x.elements(), in, y.data<To>());
      } else {
        launch(ctx, rearrange_kernel<From, To>, grid, planes_of(x), in, planes_of(y), y.data<To>());
      }
    });
  });
}

void add(CudaContext& ctx, const Tensor& a, const Tensor& b, Tensor& y) {
  map(ctx, "add", y, Add{}, a, b);
}

void scale(CudaContext& ctx, const Tensor& x, double factor, Tensor& y) {
  map(ctx, "scale", y, Scale{static_cast<float>(factor)}, x);
}

void relu_forward(CudaContext& ctx, const Tensor& x, Tensor& y) { map(ctx, "relu", y, Relu{}, x); }

void relu_backward(CudaContext& ctx, const Tensor& dy, const Tensor& y, Tensor& dx) {
  map(ctx, "relu backward", dx, ReluBackward{}, dy, y);
}

void clamp_power_forward(CudaContext& ctx, const Tensor& x, ClampPower o, Tensor& y) {
  const auto [low, power, shift] = o;
  map(ctx, "clamp_power", y,
      PowerForward{static_cast<float>(low), static_cast<float>(power), static_cast<float>(shift)},
      x);
}

void clamp_power_backward(CudaContext& ctx, const Tensor& dy, const Tensor& x, ClampPower o,
                          Tensor& dx) {
  const auto [low, power, shift] = o;
  map(ctx, "clamp_power backward", dx,
      PowerBackward{static_cast<float>(low), static_cast<float>(power), static_cast<float>(shift)},
      dy, x);
}

void add_bias(CudaContext& ctx, const Tensor& x, const Tensor& bias, Tensor& y) {
  check_add_bias(x, bias, y);
  launch(ctx, add_bias_kernel, grid_over(ctx, x.elements()), x.elements(), x.shape()[1],
         x.data<float>(), bias.data<float>(), y.data<float>());
}

void add_bias_backward(CudaContext& ctx, const Tensor& dy, Tensor& db) {
  check_add_bias_backward(dy, db);
  launch(ctx, sum_rows_kernel, grid_over(ctx, db.elements()), dy.shape()[0], dy.shape()[1],
         dy.data<float>(), db.data<float>());
}

}  // namespace engine
