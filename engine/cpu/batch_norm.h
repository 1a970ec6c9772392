// What the forward and the backward of batch norm share on the CPU.
#pragma once

#include <cmath>

#include "engine/cpu/lanes.h"
#include "engine/cpu/strips.h"
#include "engine/kernels/norm.h"

namespace engine {

inline constexpr int kMostLanes = 16;

// Where the channels of a strip begin in the table [parts, 2, C] of statistics or sums, in the row
// of its image's part; the second number of a channel lies C further on.
inline int64_t place_in(const Tensor& table, const Strip& strip, int64_t images) {
  const int64_t parts = table.shape()[0], channels = table.shape()[2];
  return strip.image / (images / parts) * 2 * channels + strip.channel;
}

inline double inverse_deviation(double variance, double eps) {
  return 1.0 / std::sqrt(variance + eps);
}

// The constants of one strip, as arrays over its lanes in the tensors' type.
template <class T>
struct LaneConstants {
  T mean[kMostLanes], scale[kMostLanes], bias[kMostLanes];

  LaneConstants() = default;
  LaneConstants(const Strip& strip, int64_t images, const Tensor& statistics, const Tensor& weight,
                const Tensor& bias_of_channels, double eps) {
    const double* row = statistics.data<double>() + place_in(statistics, strip, images);
    const double* variance = row + statistics.shape()[2];
    const T* w = weight.data<T>() + strip.channel;
    const T* b = bias_of_channels.data<T>() + strip.channel;
    for (int64_t lane = 0; lane < strip.lanes; ++lane) {
      mean[lane] = static_cast<T>(row[lane]);
      scale[lane] = static_cast<T>(w[lane] * inverse_deviation(variance[lane], eps));
      bias[lane] = b[lane];
    }
  }

  // The batch norm of one value, before residual and relu.
  T of(T x, int lane) const { return (x - mean[lane]) * scale[lane] + bias[lane]; }
};

// Two passes over a tensor of which the second needs what the first has found in the same strip of
// all images of a part. Passes has a default-constructible State of a strip and
//   start(strip, lanes, state)   first of all, with the strip of the part's first image
//   first(strip, lanes, state)   in any image, maybe by several threads at once
//   between(strip, lanes, state) as start
//   second(strip, lanes, state)  as first
template <class Passes>
class TwoPasses {
 public:
  // element_bytes: of the tensor's type.
  TwoPasses(const Planes& planes, int64_t parts, int64_t element_bytes, Passes& passes)
      : planes_(planes),
        views_(parts),
        images_(planes.n / parts),
        pattern_(strips_of(planes)),
        strips_(static_cast<int64_t>(pattern_.size())),
        image_bytes_(planes.channels() * planes.pixels * element_bytes),
        passes_(passes) {}

  // Where groups of neighbouring strips keep all threads busy, by group.
  void run() {
    // As long a piece of an image as memory is fast at.
    constexpr int64_t kGroupBytes = 64 << 10;
    const int64_t threads = omp_get_max_threads();
    const int64_t wanted = std::max(ceil_div(image_bytes_, kGroupBytes), ceil_div(threads, views_));
    const int64_t groups = std::min(wanted, strips_), tasks = views_ * groups;
    tasks % threads == 0 || tasks > 4 * threads ? by_group(groups) : by_pass();
  }

 private:
  using State = typename Passes::State;

  // Calls f(strip, lanes, its state) for some strips of an image.
  template <class F>
  void visit(int64_t begin, int64_t end, int64_t image, State* states, F&& f) {
    for (int64_t i = begin; i < end; ++i, ++states) {
      with_lanes(in_image(pattern_[static_cast<size_t>(i)], image, planes_),
                 [&](const Strip& strip, auto lanes) { f(strip, lanes, *states); });
    }
  }
  auto start() {
    return [this](auto&... at) { passes_.start(at...); };
  }
  auto first() {
    return [this](auto&... at) { passes_.first(at...); };
  }
  auto between() {
    return [this](auto&... at) { passes_.between(at...); };
  }
  auto second() {
    return [this](auto&... at) { passes_.second(at...); };
  }

  // One thread takes both passes over a group of a part, the second time beginning with the last
  // image: it finds the values in its cache, and memory is read once.
  void by_group(int64_t groups) {
    parallel_items(views_ * groups, [&](int64_t task) {
      const int64_t group = task % groups, image = task / groups * images_;
      const int64_t begin = part_begin(strips_, group, groups);
      const int64_t end = part_begin(strips_, group + 1, groups);
      std::vector<State> states(static_cast<size_t>(end - begin));
      visit(begin, end, image, states.data(), start());
      for (int64_t n = 0; n < images_; ++n) visit(begin, end, image + n, states.data(), first());
      visit(begin, end, image, states.data(), between());
      for (int64_t n = images_; n-- > 0;) visit(begin, end, image + n, states.data(), second());
    });
  }

  // All threads share one pass, then the other.
  void by_pass() {
    std::vector<State> states(static_cast<size_t>(views_ * strips_));
    const auto for_views = [&](auto&& f) {
      for (int64_t v = 0; v < views_; ++v) {
        visit(0, strips_, v * images_, states.data() + v * strips_, f);
      }
    };
    const auto for_images = [&](auto&& f) {
      parallel_for(planes_.n * strips_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t image = i / strips_, strip = i % strips_;
          visit(strip, strip + 1, image, states.data() + image / images_ * strips_ + strip, f);
        }
      });
    };
    for_views(start());
    for_images(first());
    for_views(between());
    for_images(second());
  }

  Planes planes_;
  int64_t views_, images_;  // images: of a part
  std::vector<Strip> pattern_;
  int64_t strips_, image_bytes_;
  Passes& passes_;
};

}  // namespace engine
