#include <limits>

#include "engine/cuda/kernels/vectors.cuh"
#include "engine/kernels/pool.h"

namespace engine {
namespace {

// Planes of H x W pixels with `lanes` adjacent channels, and their pool. Both tensors are stored as
// [planes, pixels, lanes]. A plane's elements are counted in an int: divisions of 64-bit numbers
// would take longer than reading the windows.
struct PoolPlanes {
  int height, width, out_height, out_width, lanes;
  int size, stride, padding;
};

PoolPlanes pool_planes(const Tensor& large, const Tensor& small, const PoolOptions& o) {
  const int64_t lanes = planes_of(large).lanes, height = large.shape()[2], width = large.shape()[3];
  require(height * width * lanes <= std::numeric_limits<int>::max(), "max_pool2d: ", large,
          " is too large for CUDA");
  const auto to_int = [](int64_t extent) { return static_cast<int>(extent); };
  return {to_int(height), to_int(width),  to_int(small.shape()[2]), to_int(small.shape()[3]),
          to_int(lanes),  to_int(o.size), to_int(o.stride),         to_int(o.padding)};
}

// The coordinates of the i-th element of [planes, height, width, lanes].
struct PlanePlace {
  int64_t plane;
  int row, column, lane;

  __device__ PlanePlace(int64_t i, int height, int width, int lanes) {
    const int area = height * width * lanes;
    plane = i / area;
    const auto rest = static_cast<int>(i - plane * area);
    const int pixel = rest / lanes;
    lane = rest - pixel * lanes;
    row = pixel / width;
    column = pixel - row * width;
  }
};

// Each thread takes kWidth lanes of an output pixel.
template <int kWidth, class T>
__global__ void max_pool_kernel(int64_t count, PoolPlanes p, const T* x, T* y, uint8_t* winner) {
  for_each_index(count / kWidth, [&](int64_t i) {
    const PlanePlace at(i * kWidth, p.out_height, p.out_width, p.lanes);
    const int top = at.row * p.stride - p.padding, left = at.column * p.stride - p.padding;
    const T* from = x + at.plane * p.height * p.width * p.lanes + at.lane;
    float best[kWidth] = {};
    Pack<uint8_t, kWidth> place = {};
    bool any = false;
    for (int u = 0; u < p.size; ++u) {
      for (int v = 0; v < p.size; ++v) {
        const int r = top + u, c = left + v;
        if (r < 0 || r >= p.height || c < 0 || c >= p.width) continue;
        const Pack<T, kWidth> values = pack_at<kWidth>(from + (r * p.width + c) * p.lanes);
        for (int k = 0; k < kWidth; ++k) {
          const auto value = static_cast<float>(values.values[k]);
          // The first of equal values stays. So does a NaN, which must not vanish here.
          if (any && (value <= best[k] || best[k] != best[k])) continue;
          best[k] = value;
          place.values[k] = static_cast<uint8_t>(u * p.size + v);
        }
        any = true;
      }
    }
    Pack<T, kWidth> out;
    for (int k = 0; k < kWidth; ++k) out.values[k] = static_cast<T>(best[k]);
    pack_at<kWidth>(y + i * kWidth) = out;
    pack_at<kWidth>(winner + i * kWidth) = place;
  });
}

// Each thread takes kWidth lanes of an input pixel and adds up, in order, the gradients of the
// windows that the pixel has won.
template <int kWidth, class T>
__global__ void max_unpool_kernel(int64_t count, PoolPlanes p, const T* dy, const uint8_t* winner,
                                  T* dx) {
  for_each_index(count / kWidth, [&](int64_t i) {
    const PlanePlace at(i * kWidth, p.height, p.width, p.lanes);
    const int row = at.row + p.padding, column = at.column + p.padding;
    const int64_t plane = at.plane * p.out_height * p.out_width * p.lanes + at.lane;
    float sums[kWidth] = {};
    const int first_row = row < p.size ? 0 : (row - p.size) / p.stride + 1;
    const int first_column = column < p.size ? 0 : (column - p.size) / p.stride + 1;
    for (int r = first_row; r < p.out_height && r * p.stride <= row; ++r) {
      for (int c = first_column; c < p.out_width && c * p.stride <= column; ++c) {
        const int64_t from = plane + (r * p.out_width + c) * p.lanes;
        const int place = (row - r * p.stride) * p.size + (column - c * p.stride);
        const Pack<uint8_t, kWidth> winners = pack_at<kWidth>(winner + from);
        const Pack<T, kWidth> gradients = pack_at<kWidth>(dy + from);
        for (int k = 0; k < kWidth; ++k) {
          if (winners.values[k] == place) sums[k] += static_cast<float>(gradients.values[k]);
        }
      }
    }
    Pack<T, kWidth> out;
    for (int k = 0; k < kWidth; ++k) out.values[k] = static_cast<T>(sums[k]);
    pack_at<kWidth>(dx + i * kWidth) = out;
  });
}

// One thread per channel of an image. x: [planes, pixels, lanes], y: [planes, lanes].
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

}  // namespace

void max_pool2d_forward(CudaContext& ctx, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner) {
  check_max_pool2d("max_pool2d", x, y, winner, options);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = x.data<T>();
    T* out = y.data<T>();
    uint8_t* winners = winner.data<uint8_t>();
    for_width<T>(planes_of(x).lanes, {in, out, winners}, [&](auto width) {
      launch(ctx, max_pool_kernel<width, T>, grid_over(ctx, y.elements() / width), y.elements(),
             pool_planes(x, y, options), in, out, winners);
    });
  });
}

void max_pool2d_backward(CudaContext& ctx, const Tensor& dy, const Tensor& winner,
                         PoolOptions options, Tensor& dx) {
  check_max_pool2d("max_pool2d backward", dx, dy, winner, options);
  for_activation(dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* gradients = dy.data<T>();
    const uint8_t* winners = winner.data<uint8_t>();
    T* out = dx.data<T>();
    for_width<T>(planes_of(dx).lanes, {gradients, winners, out}, [&](auto width) {
      launch(ctx, max_unpool_kernel<width, T>, grid_over(ctx, dx.elements() / width), dx.elements(),
             pool_planes(dx, dy, options), gradients, winners, out);
    });
  });
}

void global_average_pool_forward(CudaContext& ctx, const Tensor& x, Tensor& y) {
  check_global_average_pool("global_average_pool", x, y);
  const Planes planes = planes_of(x);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, average_kernel<T>, grid_over(ctx, y.elements()), y.elements(), planes.pixels,
           planes.lanes, x.data<T>(), y.data<T>());
  });
}

void global_average_pool_backward(CudaContext& ctx, const Tensor& dy, Tensor& dx) {
  check_global_average_pool("global_average_pool backward", dx, dy);
  const Planes planes = planes_of(dx);
  const auto share = static_cast<float>(1.0 / static_cast<double>(planes.pixels));
  for_activation(dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, spread_kernel<T>, grid_over(ctx, dx.elements()), dx.elements(), planes.pixels,
           planes.lanes, share, dy.data<T>(), dx.data<T>());
  });
}

}  // namespace engine
