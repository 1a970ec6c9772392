#include "engine/cuda/kernel.cuh"
#include "engine/kernels/pool.h"

namespace engine {
namespace {

// Planes of H x W pixels with `lanes` channels side by side, and their pool. Both tensors lie as
// [planes, pixels, lanes].
struct PoolPlanes {
  int64_t height, width, out_height, out_width, lanes;
  int64_t size, stride, padding;
};

PoolPlanes pool_planes(const Tensor& large, const Tensor& small, const PoolOptions& o) {
  return {large.shape()[2],       large.shape()[3], small.shape()[2], small.shape()[3],
          planes_of(large).lanes, o.size,           o.stride,         o.padding};
}

// One thread an output element.
template <class T>
__global__ void max_pool_kernel(int64_t count, PoolPlanes p, const T* x, T* y, uint8_t* winner) {
  for_each_index(count, [&](int64_t i) {
    const int64_t lane = i % p.lanes, column = i / p.lanes % p.out_width;
    const int64_t row = i / (p.lanes * p.out_width) % p.out_height;
    const int64_t plane = i / (p.lanes * p.out_width * p.out_height);
    const int64_t top = row * p.stride - p.padding, left = column * p.stride - p.padding;
    float best = 0.0f;
    int64_t place = -1;
    for (int64_t u = 0; u < p.size; ++u) {
      for (int64_t v = 0; v < p.size; ++v) {
        const int64_t r = top + u, c = left + v;
        if (r < 0 || r >= p.height || c < 0 || c >= p.width) continue;
        const auto value =
            static_cast<float>(x[((plane * p.height + r) * p.width + c) * p.lanes + lane]);
        // The first of equals stays, and so does a NaN: it must not vanish here.
        if (place >= 0 && (value <= best || best != best)) continue;
        best = value;
        place = u * p.size + v;
      }
    }
    y[i] = static_cast<T>(best);
    winner[i] = static_cast<uint8_t>(place);
  });
}

// One thread an input element: it gathers from the windows it lies in, in their order.
template <class T>
__global__ void max_unpool_kernel(int64_t count, PoolPlanes p, const T* dy, const uint8_t* winner,
                                  T* dx) {
  for_each_index(count, [&](int64_t i) {
    const int64_t lane = i % p.lanes, column = i / p.lanes % p.width + p.padding;
    const int64_t row = i / (p.lanes * p.width) % p.height + p.padding;
    const int64_t plane = i / (p.lanes * p.width * p.height);
    float sum = 0.0f;
    const int64_t first_row = row < p.size ? 0 : (row - p.size) / p.stride + 1;
    const int64_t first_column = column < p.size ? 0 : (column - p.size) / p.stride + 1;
    for (int64_t r = first_row; r < p.out_height && r * p.stride <= row; ++r) {
      for (int64_t c = first_column; c < p.out_width && c * p.stride <= column; ++c) {
        const int64_t from = ((plane * p.out_height + r) * p.out_width + c) * p.lanes + lane;
        const int64_t place = (row - r * p.stride) * p.size + (column - c * p.stride);
        if (winner[from] == place) sum += static_cast<float>(dy[from]);
      }
    }
    dx[i] = static_cast<T>(sum);
  });
}

// One thread a channel of an image; x: [planes, pixels, lanes], y: [planes, lanes].
template <class T>
__global__ void average_kernel(int64_t count, int64_t pixels, int64_t lanes, const T* x, T* y) {
  for_each_index(count, [&](int64_t i) {
    const T* column = x + i / lanes * pixels * lanes + i % lanes;
    double sum = 0.0;
    for (int64_t p = 0; p < pixels; ++p) sum += static_cast<float>(column[p * lanes]);
    y[i] = static_cast<T>(static_cast<float>(sum / static_cast<double>(pixels)));
  });
}

template <class T>
__global__ void spread_kernel(int64_t count, int64_t pixels, int64_t lanes, float share,
                              const T* dy, T* dx) {
  for_each_index(count, [&](int64_t i) {
    const int64_t plane = i / (pixels * lanes);
    dx[i] = static_cast<T>(static_cast<float>(dy[plane * lanes + i % lanes]) * share);
  });
}

void check_max(const char* op, const Tensor& large, const Tensor& small, const Tensor& winner,
               PoolOptions options) {
  require(small.shape() == max_pool2d_output_shape(large.shape(), options) &&
              winner.shape() == small.shape() && winner.dtype() == DType::u8 &&
              small.layout() == large.layout() && winner.layout() == large.layout() &&
              small.dtype() == large.dtype(),
          op, ": ", large, " does not pool to ", small, " with winners ", winner);
}

void check_average(const char* op, const Tensor& large, const Tensor& small) {
  require(large.shape().rank() == 4 && small.dtype() == large.dtype() &&
              small.shape() == Shape{large.shape()[0], large.shape()[1]},
          op, ": [N,C,H,W] and [N,C] expected, found ", large, " and ", small);
}

}  // namespace

void max_pool2d_forward(CudaContext& ctx, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner) {
  check_max("max_pool2d", x, y, winner, options);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, max_pool_kernel<T>, grid_over(ctx, y.elements()), y.elements(),
           pool_planes(x, y, options), x.data<T>(), y.data<T>(), winner.data<uint8_t>());
  });
}

void max_pool2d_backward(CudaContext& ctx, const Tensor& dy, const Tensor& winner,
                         PoolOptions options, Tensor& dx) {
  check_max("max_pool2d backward", dx, dy, winner, options);
  for_activation(dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, max_unpool_kernel<T>, grid_over(ctx, dx.elements()), dx.elements(),
           pool_planes(dx, dy, options), dy.data<T>(), winner.data<uint8_t>(), dx.data<T>());
  });
}

void global_average_pool_forward(CudaContext& ctx, const Tensor& x, Tensor& y) {
  check_average("global_average_pool", x, y);
  const Planes planes = planes_of(x);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, average_kernel<T>, grid_over(ctx, y.elements()), y.elements(), planes.pixels,
           planes.lanes, x.data<T>(), y.data<T>());
  });
}

void global_average_pool_backward(CudaContext& ctx, const Tensor& dy, Tensor& dx) {
  check_average("global_average_pool backward", dx, dy);
  const Planes planes = planes_of(dx);
  const auto share = static_cast<float>(1.0 / static_cast<double>(planes.pixels));
  for_activation(dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, spread_kernel<T>, grid_over(ctx, dx.elements()), dx.elements(), planes.pixels,
           planes.lanes, share, dy.data<T>(), dx.data<T>());
  });
}

}  // namespace engine
