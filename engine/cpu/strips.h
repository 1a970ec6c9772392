// How channel-wise kernels walk a tensor of any layout: as strips of 16, 8 or 1 adjacent channels
// (lanes) over all pixels of one image. The number of lanes is known at compile time, so that the
// compiler can turn the lanes (or the pixels, if there is a single lane) into vectors.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/cpu/lanes.h"
#include "engine/parallel.h"
#include "engine/tensor.h"

namespace engine {

struct Strip {
  int64_t image;
  int64_t channel;  // of lane 0
  int64_t lanes;    // 16, 8 or 1
  int64_t offset;   // of pixel 0, lane 0, in elements
  int64_t stride;   // from one pixel to the next
};

// Divides lanes 0 .. count-1 into groups of 16, 8 or 1 and calls f(first lane, lanes) for each;
// `lanes` is an integral_constant.
template <class F>
void for_lanes(int64_t count, F&& f) {
  int64_t lane = 0;
  for (; count - lane >= 16; lane += 16) f(lane, std::integral_constant<int, 16>{});
  for (; count - lane >= 8; lane += 8) f(lane, std::integral_constant<int, 8>{});
  for (; lane < count; ++lane) f(lane, std::integral_constant<int, 1>{});
}

// The strips of image 0.
inline std::vector<Strip> strips_of(const Planes& planes) {
  std::vector<Strip> strips;
  for (int64_t channel = 0; channel < planes.channels();) {
    const int64_t lane = channel % planes.lanes, left = planes.lanes - lane;
    const int64_t lanes = left >= 16 ? 16 : left >= 8 ? 8 : 1;
    const int64_t offset = channel / planes.lanes * planes.pixels * planes.lanes + lane;
    strips.push_back({0, channel, lanes, offset, planes.lanes});
    channel += lanes;
  }
  return strips;
}

// Calls f(strip, lanes); `lanes` is an integral_constant.
template <class F>
void with_lanes(const Strip& strip, F&& f) {
  if (strip.lanes == 16) {
    f(strip, std::integral_constant<int, 16>{});
  } else if (strip.lanes == 8) {
    f(strip, std::integral_constant<int, 8>{});
  } else {
    f(strip, std::integral_constant<int, 1>{});
  }
}

// The same strip of another image.
inline Strip in_image(Strip strip, int64_t image, const Planes& planes) {
  strip.offset += (image - strip.image) * planes.channels() * planes.pixels;
  strip.image = image;
  return strip;
}

// Calls f(strip, lanes) in parallel for every strip of every image; `lanes` is an
// integral_constant.
template <class F>
void for_strips(const Planes& planes, F&& f) {
  const std::vector<Strip> pattern = strips_of(planes);
  const int64_t count = static_cast<int64_t>(pattern.size());
  const int64_t elements = planes.channels() * planes.pixels / std::max<int64_t>(count, 1);
  parallel_for(planes.n * count, grain_of(elements), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      with_lanes(in_image(pattern[static_cast<size_t>(i % count)], i / count, planes), f);
    }
  });
}

// Calls f(element, lane) for every element of a strip; `element` is its index in the tensor.
template <int kWidth, class F>
void for_elements(const Strip& strip, int64_t pixels, F&& f) {
  if constexpr (kWidth == 1) {
#pragma omp simd
    for (int64_t p = 0; p < pixels; ++p) f(strip.offset + p * strip.stride, 0);
  } else {
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t base = strip.offset + p * strip.stride;
#pragma omp simd
      for (int lane = 0; lane < kWidth; ++lane) f(base + lane, lane);
    }
  }
}

// Pixels that are summed in the tensor's own type before the sum is continued in double: few enough
// to round little and to stay in the L1 cache, enough to make the conversion cheap.
inline constexpr int64_t kRunPixels = 64;

// sums[lane] = sum of f(element, lane) over pixels begin .. end-1.
template <int kWidth, class T, class F>
void sum_run(const Strip& strip, int64_t begin, int64_t end, T* sums, F&& f) {
  if constexpr (kWidth == 1) {
    T sum{0};
#pragma omp simd reduction(+ : sum)
    for (int64_t p = begin; p < end; ++p) sum += f(strip.offset + p * strip.stride, 0);
    *sums = sum;
  } else {
    const auto at = [&](int64_t p) {
      const int64_t base = strip.offset + p * strip.stride;
      return lanes_of<T, kWidth>([&](int lane) { return f(base + lane, lane); });
    };
    // Two sums per lane, so that an addition need not wait for the previous one.
    LaneVector<T, kWidth> even = {}, odd = {};
    for (int64_t p = begin; p + 1 < end; p += 2) even += at(p), odd += at(p + 1);
    if ((end - begin) % 2 == 1) even += at(end - 1);
    store_lanes(even + odd, sums);
  }
}

// The same for two sums at once: f(element, lane) returns a pair.
template <int kWidth, class T, class F>
void sum_run_pairs(const Strip& strip, int64_t begin, int64_t end, T* first, T* second, F&& f) {
  if constexpr (kWidth == 1) {
    T sum{0}, other{0};
#pragma omp simd reduction(+ : sum, other)
    for (int64_t p = begin; p < end; ++p) {
      const auto [a, b] = f(strip.offset + p * strip.stride, 0);
      sum += a;
      other += b;
    }
    *first = sum, *second = other;
  } else {
    LaneVector<T, kWidth> sum = {}, other = {};
    for (int64_t p = begin; p < end; ++p) {
      const int64_t base = strip.offset + p * strip.stride;
      sum += lanes_of<T, kWidth>([&](int lane) { return f(base + lane, lane).first; });
      other += lanes_of<T, kWidth>([&](int lane) { return f(base + lane, lane).second; });
    }
    store_lanes(sum, first), store_lanes(other, second);
  }
}

// Divides pixels 0 .. pixels-1 into runs of at most kRunPixels and calls f(begin, end) for each.
template <class F>
void for_runs(int64_t pixels, F&& f) {
  for (int64_t begin = 0; begin < pixels; begin += kRunPixels) {
    f(begin, std::min(begin + kRunPixels, pixels));
  }
}

}  // namespace engine
