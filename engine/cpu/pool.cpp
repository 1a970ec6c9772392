#include "engine/kernels/pool.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "engine/cpu/strips.h"
#include "engine/profile.h"

namespace engine {
namespace {

// A plane of H x W pixels with `lanes` adjacent channels, and the size of its pooled plane.
struct PoolPlane {
  int64_t height, width, out_height, out_width, lanes;
};

PoolPlane plane_of(const Tensor& large, const Tensor& small) {
  return {large.shape()[2], large.shape()[3], small.shape()[2], small.shape()[3],
          planes_of(large).lanes};
}

// A window and the part of it that is inside the plane.
struct PoolWindow {
  int64_t row, column;                     // of its first place, may be outside the plane
  int64_t u_begin, u_end, v_begin, v_end;  // rows and columns of the window that are inside
};

PoolWindow window_at(int64_t i, int64_t j, const PoolPlane& plane, PoolOptions o) {
  const int64_t row = i * o.stride - o.padding, column = j * o.stride - o.padding;
  return {row,
          column,
          std::max<int64_t>(0, -row),
          std::min(o.size, plane.height - row),
          std::max<int64_t>(0, -column),
          std::min(o.size, plane.width - column)};
}

// The number of a place in a window: as wide as T, so that one mask serves vectors of both.
template <class T>
using Place = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;

// The largest value of each lane and its place u * size + v in the window.
template <int kWidth, class T>
void pool_window(const T* in, const PoolPlane& plane, const PoolWindow& window, int64_t size,
                 T* out, uint8_t* winner) {
  using Values = LaneVector<T, kWidth>;
  using Places = LaneVector<Place<T>, kWidth>;
  const auto at = [&](int64_t u, int64_t v) { return static_cast<Place<T>>(u * size + v); };
  Values best = Values{} - std::numeric_limits<T>::infinity();
  Places place = Places{} + at(window.u_begin, window.v_begin);
  for (int64_t u = window.u_begin; u < window.u_end; ++u) {
    for (int64_t v = window.v_begin; v < window.v_end; ++v) {
      const auto x = load_lanes<kWidth>(in + ((window.row + u) * plane.width + window.column + v) *
                                                 plane.lanes);
      // A NaN wins and stays, as in every framework, so that it is noticed.
      const Places stays = (x <= best) | (best != best);
      best = stays ? best : x;
      place = stays ? place : Places{} + at(u, v);
    }
  }
  store_lanes(best, out);
  store_lanes(__builtin_convertvector(place, LaneVector<uint8_t, kWidth>), winner);
}

// Calls f(window, element, lane, lanes) for every window and every group of lanes; `element` is the
// index in the pooled plane, `lane` the group's first.
template <class F>
void for_windows(const PoolPlane& plane, PoolOptions o, F&& f) {
  for (int64_t i = 0; i < plane.out_height; ++i) {
    for (int64_t j = 0; j < plane.out_width; ++j) {
      const PoolWindow window = window_at(i, j, plane, o);
      const int64_t first = (i * plane.out_width + j) * plane.lanes;
      for_lanes(plane.lanes,
                [&](int64_t lane, auto lanes) { f(window, first + lane, lane, lanes); });
    }
  }
}

template <class T>
void pool_plane(const T* in, const PoolPlane& plane, PoolOptions o, T* out, uint8_t* winner) {
  for_windows(plane, o, [&](const PoolWindow& window, int64_t at, int64_t lane, auto lanes) {
    pool_window<lanes>(in + lane, plane, window, o.size, out + at, winner + at);
  });
}

// Adds a window's gradient to its winners. Visits every place of the window, where lanes that have
// no winner add zero: a scatter lane by lane takes four times as long.
template <int kWidth, class T>
void unpool_window(const T* dy, const uint8_t* winner, const PoolPlane& plane,
                   const PoolWindow& window, int64_t size, T* dx) {
  using Values = LaneVector<T, kWidth>;
  const Values gradient = load_lanes<kWidth>(dy);
  Place<T> places[kWidth];
  std::copy_n(winner, kWidth, places);
  const auto place = load_lanes<kWidth>(places);
  for (int64_t u = window.u_begin; u < window.u_end; ++u) {
    for (int64_t v = window.v_begin; v < window.v_end; ++v) {
      T* to = dx + ((window.row + u) * plane.width + window.column + v) * plane.lanes;
      const auto here = static_cast<Place<T>>(u * size + v);
      const Values added = place == here ? gradient : Values{};
      store_lanes(load_lanes<kWidth>(to) + added, to);
    }
  }
}

template <class T>
void unpool_plane(const T* dy, const uint8_t* winner, const PoolPlane& plane, PoolOptions o,
                  T* dx) {
  std::fill(dx, dx + plane.height * plane.width * plane.lanes, T{0});
  for_windows(plane, o, [&](const PoolWindow& window, int64_t at, int64_t lane, auto lanes) {
    unpool_window<lanes>(dy + at, winner + at, plane, window, o.size, dx + lane);
  });
}

// Calls f(plane) in parallel for the number of every plane: one per image and channel block.
template <class F>
void for_planes(const Tensor& x, F&& f) {
  const Planes planes = planes_of(x);
  parallel_for(planes.n * planes.blocks, grain_of(planes.pixels * planes.lanes),
               [&](int64_t begin, int64_t end) {
                 for (int64_t plane = begin; plane < end; ++plane) f(plane);
               });
}

}  // namespace

void max_pool2d_forward(CpuContext& ctx, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner) {
  const Timer timer(ctx, "max_pool2d", bytes_of(x, y, winner));
  check_max_pool2d("max_pool2d", x, y, winner, options);
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

void max_pool2d_backward(CpuContext& ctx, const Tensor& dy, const Tensor& winner,
                         PoolOptions options, Tensor& dx) {
  const Timer timer(ctx, "max_pool2d backward", bytes_of(dy, winner, dx));
  check_max_pool2d("max_pool2d backward", dx, dy, winner, options);
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

void global_average_pool_forward(CpuContext& ctx, const Tensor& x, Tensor& y) {
  const Timer timer(ctx, "global_average_pool", bytes_of(x, y));
  check_global_average_pool("global_average_pool", x, y);
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

void global_average_pool_backward(CpuContext& ctx, const Tensor& dy, Tensor& dx) {
  const Timer timer(ctx, "global_average_pool backward", bytes_of(dy, dx));
  check_global_average_pool("global_average_pool backward", dx, dy);
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
