// Schedules a channel-wise kernel that passes over its tensor twice, so that the second pass finds
// the values in a cache if possible.
#pragma once

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <vector>

#include "engine/arithmetic.h"
#include "engine/cpu/strips.h"
#include "engine/parallel.h"
#include "engine/tensor.h"

namespace engine {

// A kernel whose second pass over a strip needs what the first pass found in the same strip of all
// images of a part (an equal share of the batch). It keeps that in a State per strip and part.
//   begin_part   called first, with the strip of the part's first image
//   first_pass   called for every image, possibly by several threads at once
//   end_part     called after that, with the strip of the part's first image
//   second_pass  called for every image, possibly by several threads at once
// `lanes` is an integral_constant, see strips.h.
template <class K>
concept TwoPassKernel = std::default_initializable<typename K::State> &&
    requires(K& kernel, const Strip& strip, std::integral_constant<int, 8> lanes,
             typename K::State& state) {
  kernel.begin_part(strip, lanes, state);
  kernel.first_pass(strip, lanes, state);
  kernel.end_part(strip, lanes, state);
  kernel.second_pass(strip, lanes, state);
};

template <TwoPassKernel Kernel>
class TwoPasses {
 public:
  // element_bytes: the size of the tensor's type.
  TwoPasses(const Planes& planes, int64_t parts, int64_t element_bytes, Kernel& kernel)
      : planes_(planes),
        parts_(parts),
        images_(planes.n / parts),
        pattern_(strips_of(planes)),
        strips_(static_cast<int64_t>(pattern_.size())),
        image_bytes_(planes.channels() * planes.pixels * element_bytes),
        kernel_(kernel) {}

  // Runs group by group if groups of adjacent strips keep all threads busy, else pass by pass.
  void run() {
    // Bytes of one image per group: enough for memory to stream at full speed.
    constexpr int64_t kGroupBytes = 64 << 10;
    const int64_t threads = omp_get_max_threads();
    const int64_t wanted = std::max(ceil_div(image_bytes_, kGroupBytes), ceil_div(threads, parts_));
    const int64_t groups = std::min(wanted, strips_), tasks = parts_ * groups;
    tasks % threads == 0 || tasks > 4 * threads ? by_group(groups) : by_pass();
  }

 private:
  using State = typename Kernel::State;

  // Strips begin .. end-1 of an image, and the states of these strips.
  struct StripRange {
    int64_t begin, end;
    State* states;
  };

  // Calls f(strip, lanes, state) for a range of strips.
  template <class F>
  void visit(const StripRange& range, int64_t image, F&& f) {
    State* state = range.states;
    for (int64_t i = range.begin; i < range.end; ++i, ++state) {
      with_lanes(in_image(pattern_[static_cast<size_t>(i)], image, planes_),
                 [&](const Strip& strip, auto lanes) { f(strip, lanes, *state); });
    }
  }
  void begin_part(const StripRange& range, int64_t first_image) {
    visit(range, first_image, [this](auto&... at) { kernel_.begin_part(at...); });
  }
  void first_pass(const StripRange& range, int64_t image) {
    visit(range, image, [this](auto&... at) { kernel_.first_pass(at...); });
  }
  void end_part(const StripRange& range, int64_t first_image) {
    visit(range, first_image, [this](auto&... at) { kernel_.end_part(at...); });
  }
  void second_pass(const StripRange& range, int64_t image) {
    visit(range, image, [this](auto&... at) { kernel_.second_pass(at...); });
  }

  // One thread makes both passes over a group of strips in a part. The second begins with the last
  // image, whose values are still in the cache, so that most values are read from memory once.
  void by_group(int64_t groups) {
    parallel_items(parts_ * groups, [&](int64_t task) {
      const int64_t group = task % groups, first = task / groups * images_;
      const int64_t begin = part_begin(strips_, group, groups);
      const int64_t end = part_begin(strips_, group + 1, groups);
      std::vector<State> states(static_cast<size_t>(end - begin));
      const StripRange strips{begin, end, states.data()};
      begin_part(strips, first);
      for (int64_t n = 0; n < images_; ++n) first_pass(strips, first + n);
      end_part(strips, first);
      for (int64_t n = images_; n-- > 0;) second_pass(strips, first + n);
    });
  }

  // All threads share the first pass over the whole tensor, then the second.
  void by_pass() {
    std::vector<State> states(static_cast<size_t>(parts_ * strips_));
    const auto each_part = [&](auto&& f) {
      for (int64_t part = 0; part < parts_; ++part) {
        f(StripRange{0, strips_, states.data() + part * strips_}, part * images_);
      }
    };
    const auto each_image = [&](auto&& f) {
      parallel_for(planes_.n * strips_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t image = i / strips_, strip = i % strips_;
          State* state = states.data() + image / images_ * strips_ + strip;
          f(StripRange{strip, strip + 1, state}, image);
        }
      });
    };
    each_part([this](const StripRange& strips, int64_t image) { begin_part(strips, image); });
    each_image([this](const StripRange& strip, int64_t image) { first_pass(strip, image); });
    each_part([this](const StripRange& strips, int64_t image) { end_part(strips, image); });
    each_image([this](const StripRange& strip, int64_t image) { second_pass(strip, image); });
  }

  Planes planes_;
  int64_t parts_, images_;  // images per part
  std::vector<Strip> pattern_;
  int64_t strips_, image_bytes_;
  Kernel& kernel_;
};

}  // namespace engine
