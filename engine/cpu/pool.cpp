#include "engine/kernels/pool.h"

#include <algorithm>
#include <cmath>

#include "engine/parallel.h"

namespace engine {
namespace {

// A channel-wise plane of H x W pixels with `lanes` channels side by side, and where its pool goes.
struct PoolPlane {
  int64_t height, width, out_height, out_width, lanes;
};

PoolPlane plane_of(const Tensor& large, const Tensor& small) {
  return {large.shape()[2], large.shape()[3], small.shape()[2], small.shape()[3],
          planes_of(large).lanes};
}

void check(const char* op, const Tensor& large, const Tensor& small, const Tensor& winner,
           PoolOptions options) {
  require(small.shape() == max_pool2d_output_shape(large.shape(), options) &&
              winner.shape() == small.shape() && winner.dtype() == DType::u8 &&
              small.layout() == large.layout() && winner.layout() == large.layout() &&
              small.dtype() == large.dtype(),
          op, ": ", large, " does not pool to ", small, " with winners ", winner);
}

template <class T>
void pool_plane(const T* in, const PoolPlane& plane, PoolOptions o, T* out, uint8_t* winner) {
  for (int64_t i = 0; i < plane.out_height; ++i) {
    for (int64_t j = 0; j < plane.out_width; ++j) {
      T* best = out + (i * plane.out_width + j) * plane.lanes;
      uint8_t* place = winner + (i * plane.out_width + j) * plane.lanes;
      bool first = true;
      for (int64_t u = 0; u < o.size; ++u) {
        const int64_t row = i * o.stride - o.padding + u;
        if (row < 0 || row >= plane.height) continue;
        for (int64_t v = 0; v < o.size; ++v) {
          const int64_t column = j * o.stride - o.padding + v;
          if (column < 0 || column >= plane.width) continue;
          const T* x = in + (row * plane.width + column) * plane.lanes;
          const auto here = static_cast<uint8_t>(u * o.size + v);
          for (int64_t lane = 0; lane < plane.lanes; ++lane) {
            // A NaN wins and stays, as in every framework: it must not vanish here.
            const bool wins = first || (best[lane] == best[lane] && !(x[lane] <= best[lane]));
            best[lane] = wins ? x[lane] : best[lane];
            place[lane] = wins ? here : place[lane];
          }
          first = false;
        }
      }
    }
  }
}

template <class T>
void unpool_plane(const T* dy, const uint8_t* winner, const PoolPlane& plane, PoolOptions o,
                  T* dx) {
  std::fill(dx, dx + plane.height * plane.width * plane.lanes, T{0});
  for (int64_t i = 0; i < plane.out_height; ++i) {
    for (int64_t j = 0; j < plane.out_width; ++j) {
      for (int64_t lane = 0; lane < plane.lanes; ++lane) {
        const int64_t from = (i * plane.out_width + j) * plane.lanes + lane;
        const int64_t row = i * o.stride - o.padding + winner[from] / o.size;
        const int64_t column = j * o.stride - o.padding + winner[from] % o.size;
        dx[(row * plane.width + column) * plane.lanes + lane] += dy[from];
      }
    }
  }
}

// Calls f(plane number) in parallel for every image and channel block.
template <class F>
void for_planes(const Tensor& x, F&& f) {
  const Planes planes = planes_of(x);
  parallel_for(planes.n * planes.blocks, grain_of(planes.pixels * planes.lanes),
               [&](int64_t begin, int64_t end) {
                 for (int64_t plane = begin; plane < end; ++plane) f(plane);
               });
}

void check_average(const char* op, const Tensor& large, const Tensor& small) {
  require(large.shape().rank() == 4 && small.dtype() == large.dtype() &&
              small.shape() == Shape{large.shape()[0], large.shape()[1]},
          op, ": [N,C,H,W] and [N,C] expected, found ", large, " and ", small);
}

}  // namespace

Shape max_pool2d_output_shape(const Shape& x, PoolOptions o) {
  require(x.rank() == 4, "max_pool2d: [N,C,H,W] expected, found ", x);
  require(o.size >= 1 && o.size <= 15 && o.stride >= 1 && o.padding >= 0 && 2 * o.padding <= o.size,
          "max_pool2d: size 1..15, stride >= 1 and padding <= size / 2 expected, found size ",
          o.size, ", stride ", o.stride, ", padding ", o.padding);
  const auto pooled = [&](int64_t extent) { return extent + 2 * o.padding - o.size; };
  require(pooled(x[2]) >= 0 && pooled(x[3]) >= 0, "max_pool2d: a window of ", o.size,
          " does not fit ", x, " with padding ", o.padding);
  return {x[0], x[1], pooled(x[2]) / o.stride + 1, pooled(x[3]) / o.stride + 1};
}

void max_pool2d_forward(CpuContext&, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner) {
  check("max_pool2d", x, y, winner, options);
  const PoolPlane plane = plane_of(x, y);
  const int64_t in = plane.height * plane.width * plane.lanes;
  const int64_t out = plane.out_height * plane.out_width * plane.lanes;
  for_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.data<T>();
    T* to = y.data<T>();
    uint8_t* places = winner.data<uint8_t>();
    for_planes(x, [&](int64_t p) {
      pool_plane(from + p * in, plane, options, to + p * out, places + p * out);
    });
  });
}

void max_pool2d_backward(CpuContext&, const Tensor& dy, const Tensor& winner, PoolOptions options,
                         Tensor& dx) {
  check("max_pool2d backward", dx, dy, winner, options);
  const PoolPlane plane = plane_of(dx, dy);
  const int64_t in = plane.height * plane.width * plane.lanes;
  const int64_t out = plane.out_height * plane.out_width * plane.lanes;
  for_float(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = dy.data<T>();
    const uint8_t* places = winner.data<uint8_t>();
    T* to = dx.data<T>();
    for_planes(dx, [&](int64_t p) {
      unpool_plane(from + p * out, places + p * out, plane, options, to + p * in);
    });
  });
}

void global_average_pool_forward(CpuContext&, const Tensor& x, Tensor& y) {
  check_average("global_average_pool", x, y);
  const Planes planes = planes_of(x);
  for_float(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = x.data<T>();
    T* out = y.data<T>();
    for_planes(x, [&](int64_t p) {
      for (int64_t lane = 0; lane < planes.lanes; ++lane) {
        double sum = 0.0;
        for (int64_t i = 0; i < planes.pixels; ++i) {
          sum += in[(p * planes.pixels + i) * planes.lanes + lane];
        }
        out[p * planes.lanes + lane] = static_cast<T>(sum / static_cast<double>(planes.pixels));
      }
    });
  });
}

void global_average_pool_backward(CpuContext&, const Tensor& dy, Tensor& dx) {
  check_average("global_average_pool backward", dx, dy);
  const Planes planes = planes_of(dx);
  for_float(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T share = static_cast<T>(1.0 / static_cast<double>(planes.pixels));
    const T* in = dy.data<T>();
    T* out = dx.data<T>();
    for_planes(dx, [&](int64_t p) {
      for (int64_t i = 0; i < planes.pixels * planes.lanes; ++i) {
        out[p * planes.pixels * planes.lanes + i] = in[p * planes.lanes + i % planes.lanes] * share;
      }
    });
  });
}

}  // namespace engine
