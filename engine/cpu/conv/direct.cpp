#include "engine/cpu/conv/direct.h"

#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/window.h"
#include "engine/cpu/conv/workers.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// The fastest values with AVX2 on two cores. kDepth: inputs times taps of one pass, whose weights
// (kDepth * kPanel floats) then stay in the L1 cache. kPixels: output pixels of a block, whose
// input then stays in the L2 cache.
constexpr int64_t kDepth = 18 * kLanes, kPixels = 448;

// One tap of the kernel: the input pixel it reads, and its number in the weight.
struct Tap {
  int64_t row, column, number;
};

// Output pixels that all use the same taps: pixel (i, j) of a height x width grid is output pixel
// (row + i * out_step, column + j * out_step), and a tap of it reads input pixel
// (i * in_step + tap.row, j * in_step + tap.column).
struct TapClass {
  int64_t height, width, row, column;
  std::vector<Tap> taps;

  int64_t count() const { return static_cast<int64_t>(taps.size()); }
  std::vector<int64_t> numbers() const {
    std::vector<int64_t> numbers;
    for (const Tap& tap : taps) numbers.push_back(tap.number);
    return numbers;
  }
};

// A convolution as tap classes. Forward has one class. The gradient of the data with stride s has
// s * s: one for each remainder of the row and of the column by s, since each remainder meets
// different taps.
struct Problem {
  int64_t images;
  ChannelImage in, out;  // the first of the images
  int64_t in_step, out_step;
  bool adds;  // to what out holds
  std::vector<TapClass> classes = {};
  const float* panels = nullptr;  // of all classes, one after the other
  float* result = nullptr;        // the pixels of out
};

Problem forward_problem(const Tensor& x, const Shape& w, const Conv2dOptions& o, bool adds,
                        const Tensor& y) {
  Problem p{x.shape()[0], image_of(x), image_of(y), o.stride, 1, adds};
  TapClass all{p.out.height, p.out.width, 0, 0, {}};
  for (int64_t u = 0; u < w[2]; ++u) {
    for (int64_t v = 0; v < w[3]; ++v) {
      all.taps.push_back({u - o.padding, v - o.padding, u * w[3] + v});
    }
  }
  p.classes.push_back(std::move(all));
  return p;
}

Problem backward_problem(const Tensor& dy, const Shape& w, const Conv2dOptions& o, bool adds,
                         const Tensor& dx) {
  const int64_t s = o.stride;
  Problem p{dy.shape()[0], image_of(dy), image_of(dx), 1, s, adds};
  for (int64_t row = 0; row < std::min(s, p.out.height); ++row) {
    for (int64_t column = 0; column < std::min(s, p.out.width); ++column) {
      const int64_t height = ceil_div(p.out.height - row, s);
      TapClass part{height, ceil_div(p.out.width - column, s), row, column, {}};
      for (int64_t u = 0; u < w[2]; ++u) {
        for (int64_t v = 0; v < w[3]; ++v) {
          const int64_t down = row + o.padding - u, right = column + o.padding - v;
          if (down % s == 0 && right % s == 0) {
            part.taps.push_back({down / s, right / s, u * w[3] + v});
          }
        }
      }
      p.classes.push_back(std::move(part));
    }
  }
  return p;
}

// A task is a block of the output grid. It takes the input channels in passes, whose weights fit a
// cache, and copies the input of a pass with zeros around it.
struct Plan {
  int64_t top = 0, bottom = 0, left = 0, right = 0;  // least and greatest row and column of a tap
  int64_t width = 0;                                 // of the largest class
  bool has_empty_class = false;                      // pixels that no tap reaches
  int64_t passes, tasks, worker_floats = 0;
  std::vector<PixelBlock> blocks;

  explicit Plan(const Problem& p) {
    int64_t height = 0, most_taps = 1;
    for (const TapClass& part : p.classes) {
      height = std::max(height, part.height);
      width = std::max(width, part.width);
      most_taps = std::max(most_taps, part.count());
      has_empty_class |= part.taps.empty();
      for (const Tap& tap : part.taps) {
        top = std::min(top, tap.row), bottom = std::max(bottom, tap.row);
        left = std::min(left, tap.column), right = std::max(right, tap.column);
      }
    }
    passes = ceil_div(p.in.blocks, std::max<int64_t>(kDepth / kLanes / most_taps, 1));
    const int64_t classes = static_cast<int64_t>(p.classes.size());
    blocks = blocks_of(p.images, height, width, std::max<int64_t>(kPixels / classes, 1),
                       omp_get_max_threads());
    tasks = static_cast<int64_t>(blocks.size());
    for (const PixelBlock& block : blocks) {
      const PixelWindow w = window(p, block);
      const int64_t floats = block.images * w.height * w.width * kLanes;
      worker_floats = std::max(worker_floats, floats * ceil_div(p.in.blocks, passes));
    }
  }

  // The input pixels that a block reads.
  PixelWindow window(const Problem& p, const PixelBlock& block) const {
    return {block.first_row * p.in_step + top, left,
            (block.rows - 1) * p.in_step + 1 + bottom - top,
            (width - 1) * p.in_step + 1 + right - left};
  }
};

// Sets the output pixels of a block to zero.
void clear(const Problem& p, const PixelBlock& block) {
  const int64_t begin = std::min(block.first_row * p.out_step, p.out.height);
  const int64_t end = std::min((block.first_row + block.rows) * p.out_step, p.out.height);
  const int64_t row_floats = p.out.width * kLanes;
  for (int64_t i = 0; i < block.images; ++i) {
    for (int64_t b = 0; b < p.out.blocks; ++b) {
      float* plane = p.result + (block.first_image + i) * p.out.floats() + b * p.out.plane_floats();
      std::fill(plane + begin * row_floats, plane + end * row_floats, 0.0f);
    }
  }
}

class Worker {
 public:
  Worker(const Problem& problem, const Plan& plan, float* copy)
      : p_(problem), plan_(plan), copy_(copy) {}

  void run(int64_t task) {
    const PixelBlock& block = plan_.blocks[task];
    if (plan_.has_empty_class && !p_.adds) clear(p_, block);
    for_parts(p_.in.blocks, plan_.passes, [&](int64_t first, int64_t count) {
      const Source source = read(block, first, count);
      const float* panels = p_.panels;
      for (const TapClass& part : p_.classes) {
        if (part.taps.empty()) continue;
        list_pixels(block, part, source);
        sum(block, part.count(), source, panels, first, count);
        panels += panels_of(p_.out.blocks * kLanes) * kPanel * p_.in.blocks * kLanes * part.count();
      }
    });
  }

 private:
  // The copied input of a block, from pixel (0, 0) of its window on, and the distances in it.
  struct Source {
    int64_t row, image, plane;
  };

  Source read(const PixelBlock& block, int64_t first, int64_t count) {
    const PixelWindow window = plan_.window(p_, block);
    const int64_t image = window.height * window.width * kLanes, plane = image * block.images;
    for (int64_t i = 0; i < block.images; ++i) {
      copy_window(p_.in.part(block.first_image + i, first, count), window, copy_ + i * image,
                  plane);
    }
    return {window.width * kLanes, image, plane};
  }

  void list_pixels(const PixelBlock& block, const TapClass& part, const Source& source) {
    tap_offset_.clear(), in_offset_.clear(), out_offset_.clear();
    for (const Tap& tap : part.taps) {
      tap_offset_.push_back((tap.row - plan_.top) * source.row +
                            (tap.column - plan_.left) * kLanes);
    }
    const int64_t end = std::min(block.first_row + block.rows, part.height);
    for (int64_t i = 0; i < block.images; ++i) {
      for (int64_t row = block.first_row; row < end; ++row) {
        const int64_t in_row = (row - block.first_row) * p_.in_step;
        const int64_t out_row = row * p_.out_step + part.row;
        for (int64_t column = 0; column < part.width; ++column) {
          const int64_t out_column = column * p_.out_step + part.column;
          in_offset_.push_back(i * source.image + in_row * source.row +
                               column * p_.in_step * kLanes);
          out_offset_.push_back(i * p_.out.floats() +
                                (out_row * p_.out.width + out_column) * kLanes);
        }
      }
    }
  }

  // Adds what `count` input blocks from `first` on give to the listed pixels. The first pass
  // overwrites them, unless the problem adds.
  void sum(const PixelBlock& block, int64_t taps, const Source& source, const float* panels,
           int64_t first, int64_t count) {
    const int64_t plane = p_.out.plane_floats();
    for (int64_t panel = 0; panel * kRegisterVectors < p_.out.blocks; ++panel) {
      sum_pixels({.in = copy_,
                  .in_plane = source.plane,
                  .tap_offset = tap_offset_.data(),
                  .taps = taps,
                  .blocks = count,
                  .weights = panels + (panel * p_.in.blocks + first) * taps * kLanes * kPanel,
                  .out = p_.result + block.first_image * p_.out.floats() +
                         panel * kRegisterVectors * plane,
                  .out_plane = plane,
                  .accumulate = first > 0 || p_.adds},
                 vectors_of(p_.out.blocks * kLanes, panel), in_offset_.data(), out_offset_.data(),
                 static_cast<int64_t>(in_offset_.size()));
    }
  }

  const Problem& p_;
  const Plan& plan_;
  float* copy_;
  std::vector<int64_t> tap_offset_, in_offset_, out_offset_;
};

// Packs the weights of all classes and runs the workers.
void convolve(CpuContext& ctx, const Tensor& w, const WeightView& view, const WeightForm& form,
              Problem& p, Tensor& result) {
  const Tensor packed =
      packed_weight(ctx, w, form, panel_floats(view, view.taps), [&](Tensor& panels) {
        float* to = panels.data<float>();
        for (const TapClass& part : p.classes) {
          if (part.taps.empty()) continue;
          pack_panels(view, part.numbers(), to);
          to += panel_floats(view, part.count());
        }
      });
  p.panels = packed.data<float>();
  p.result = result.data<float>();
  run_workers<Worker>(p, Plan(p));
}

// Sets every pixel of y to the bias.
void fill_channels(const Tensor& bias, Tensor& y) {
  const float* values = bias.data<float>();
  float* out = y.data<float>();
  const int64_t blocks = y.shape()[1] / kLanes, pixels = y.shape()[2] * y.shape()[3];
  parallel_for(y.shape()[0] * blocks, grain_of(pixels * kLanes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = values + i % blocks * kLanes;
      for (int64_t p = 0; p < pixels; ++p)
        std::copy_n(from, kLanes, out + (i * pixels + p) * kLanes);
    }
  });
}

}  // namespace

void direct_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y) {
  const bool adds = bias.defined();
  if (adds) fill_channels(bias, y);
  if (is_1x1(w.shape(), options)) return direct_1x1_forward(ctx, x, w, options.stride, adds, y);
  Problem p = forward_problem(x, w.shape(), options, adds, y);
  convolve(ctx, w, forward_view(w), {kDirectForm, 0, 0}, p, y);
}

void direct_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, bool adds, Tensor& dx) {
  if (is_1x1(w.shape(), options)) {
    return direct_1x1_backward_data(ctx, dy, w, options.stride, adds, dx);
  }
  Problem p = backward_problem(dy, w.shape(), options, adds, dx);
  convolve(ctx, w, transposed_view(w), {kDirectForm, options.stride, options.padding}, p, dx);
}

}  // namespace engine
