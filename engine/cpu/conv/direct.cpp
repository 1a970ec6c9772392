#include "engine/cpu/conv/direct.h"

#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/window.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// What measured best with AVX2 on two cores. Reduction depth of one pass: its weights (depth *
// kPanel floats) stay in the first-level cache. Pixels of a block: its input stays in the
// second-level cache.
constexpr int64_t kDepth = 18 * kLanes, kPixels = 448;

// One tap of the kernel: which input pixel it reads, and its number in the weight.
struct Tap {
  int64_t row, column, number;
};

// Output pixels that all use the same taps: pixel (i, j) of a height x width grid is output pixel
// (row + i * out_step, column + j * out_step), and a tap of it reads input pixel
// (i * in_step + tap.row, j * in_step + tap.column).
struct TapClass {
  int64_t height, width, row, column;
  std::vector<Tap> taps;

  std::vector<int64_t> numbers() const {
    std::vector<int64_t> numbers;
    for (const Tap& tap : taps) numbers.push_back(tap.number);
    return numbers;
  }
};

// A convolution as tap classes. Forward there is one. The gradient of the data with stride s has
// s * s: one for each remainder of the row and the column, which the strides reach by other taps.
struct Sweep {
  int64_t images;
  ChannelImage in, out;  // of one image; the data is that of the first
  int64_t in_step, out_step;
  std::vector<TapClass> classes;
  bool adds = false;  // to what out holds
};

Sweep forward_sweep(const Tensor& x, const Shape& w, const Conv2dOptions& o, const Tensor& y) {
  Sweep sweep{x.shape()[0], image_of(x), image_of(y), o.stride, 1, {}, false};
  TapClass all{sweep.out.height, sweep.out.width, 0, 0, {}};
  for (int64_t u = 0; u < w[2]; ++u) {
    for (int64_t v = 0; v < w[3]; ++v) {
      all.taps.push_back({u - o.padding, v - o.padding, u * w[3] + v});
    }
  }
  sweep.classes.push_back(std::move(all));
  return sweep;
}

Sweep backward_sweep(const Tensor& dy, const Shape& w, const Conv2dOptions& o, const Tensor& dx) {
  const int64_t s = o.stride;
  Sweep sweep{dy.shape()[0], image_of(dy), image_of(dx), 1, s, {}, false};
  for (int64_t row = 0; row < std::min(s, sweep.out.height); ++row) {
    for (int64_t column = 0; column < std::min(s, sweep.out.width); ++column) {
      TapClass part{ceil_div(sweep.out.height - row, s),
                    ceil_div(sweep.out.width - column, s),
                    row,
                    column,
                    {}};
      for (int64_t u = 0; u < w[2]; ++u) {
        for (int64_t v = 0; v < w[3]; ++v) {
          const int64_t down = row + o.padding - u, right = column + o.padding - v;
          if (down % s == 0 && right % s == 0) {
            part.taps.push_back({down / s, right / s, u * w[3] + v});
          }
        }
      }
      sweep.classes.push_back(std::move(part));
    }
  }
  return sweep;
}

// How a sweep is run: how far its taps reach, and its split into blocks of the output grid (for
// the threads) and passes over the input channels (for the caches).
struct Plan {
  int64_t top = 0, bottom = 0, left = 0, right = 0;  // least and greatest row and column of a tap
  int64_t height = 0, width = 0;                     // of the largest class
  int64_t most_taps = 0;
  bool has_empty_class = false;  // pixels that no tap reaches
  int64_t passes;
  std::vector<PixelBlock> blocks;

  explicit Plan(const Sweep& sweep) {
    for (const TapClass& part : sweep.classes) {
      height = std::max(height, part.height);
      width = std::max(width, part.width);
      most_taps = std::max(most_taps, static_cast<int64_t>(part.taps.size()));
      has_empty_class |= part.taps.empty();
      for (const Tap& tap : part.taps) {
        top = std::min(top, tap.row), bottom = std::max(bottom, tap.row);
        left = std::min(left, tap.column), right = std::max(right, tap.column);
      }
    }
    const int64_t taps = std::max<int64_t>(most_taps, 1);
    passes = ceil_div(sweep.in.blocks, std::max<int64_t>(kDepth / kLanes / taps, 1));
    const int64_t classes = static_cast<int64_t>(sweep.classes.size());
    blocks = blocks_of(sweep.images, height, width, std::max<int64_t>(kPixels / classes, 1),
                       omp_get_max_threads());
  }

  // The input pixels a block reads.
  PixelWindow window(const Sweep& sweep, const PixelBlock& block) const {
    return {block.first_row * sweep.in_step + top, left,
            (block.rows - 1) * sweep.in_step + 1 + bottom - top,
            (width - 1) * sweep.in_step + 1 + right - left};
  }

  // The most floats a block's copy of the channels of a pass takes.
  int64_t copy_floats(const Sweep& sweep) const {
    int64_t pixels = 0;
    for (const PixelBlock& block : blocks) {
      const PixelWindow w = window(sweep, block);
      pixels = std::max(pixels, block.images * w.height * w.width);
    }
    return pixels * kLanes * ceil_div(sweep.in.blocks, passes);
  }
};

// Runs one block; one runner a thread.
class Runner {
 public:
  Runner(const Sweep& sweep, const Plan& plan, const float* panels, float* out, float* copy)
      : sweep_(sweep), plan_(plan), panels_(panels), out_(out), copy_(copy) {}

  void run(const PixelBlock& block) {
    if (plan_.has_empty_class && !sweep_.adds) clear(block);
    for (int64_t pass = 0; pass < plan_.passes; ++pass) {
      const int64_t first = part_begin(sweep_.in.blocks, pass, plan_.passes);
      const int64_t count = part_begin(sweep_.in.blocks, pass + 1, plan_.passes) - first;
      const Source source = read(block, first, count);
      const float* weights = panels_;
      for (const TapClass& part : sweep_.classes) {
        if (part.taps.empty()) continue;
        sum(block, part, source, weights, first, count);
        weights += panels_of(sweep_.out.blocks * kLanes) * kPanel * sweep_.in.blocks * kLanes *
                   static_cast<int64_t>(part.taps.size());
      }
    }
  }

 private:
  // The input of a block: where pixel (0, 0) of its window lies, and the distances.
  struct Source {
    const float* data;
    int64_t row, image, plane;
  };

  int64_t in_image() const { return sweep_.in.blocks * in_plane(); }
  int64_t in_plane() const { return sweep_.in.height * sweep_.in.width * kLanes; }
  int64_t out_image() const { return sweep_.out.blocks * out_plane(); }
  int64_t out_plane() const { return sweep_.out.height * sweep_.out.width * kLanes; }

  void clear(const PixelBlock& block) {
    const int64_t begin = std::min(block.first_row * sweep_.out_step, sweep_.out.height);
    const int64_t end =
        std::min((block.first_row + block.rows) * sweep_.out_step, sweep_.out.height);
    for (int64_t i = 0; i < block.images; ++i) {
      for (int64_t b = 0; b < sweep_.out.blocks; ++b) {
        float* plane = out_ + (block.first_image + i) * out_image() + b * out_plane();
        std::fill(plane + begin * sweep_.out.width * kLanes,
                  plane + end * sweep_.out.width * kLanes, 0.0f);
      }
    }
  }

  Source read(const PixelBlock& block, int64_t first, int64_t count) {
    const float* in = sweep_.in.data + block.first_image * in_image() + first * in_plane();
    const PixelWindow window = plan_.window(sweep_, block);
    const int64_t image = window.height * window.width * kLanes;
    for (int64_t i = 0; i < block.images; ++i) {
      copy_window({in + i * in_image(), count, sweep_.in.height, sweep_.in.width}, window,
                  copy_ + i * image, image * block.images);
    }
    return {copy_, window.width * kLanes, image, image * block.images};
  }

  // Adds what input blocks first .. +count give to the pixels of one class; the first pass writes
  // unless the sweep adds.
  void sum(const PixelBlock& block, const TapClass& part, const Source& source,
           const float* weights, int64_t first, int64_t count) {
    list_pixels(block, part, source);
    const int64_t taps = static_cast<int64_t>(part.taps.size());
    const int64_t vectors = sweep_.out.blocks;
    for (int64_t panel = 0; panel * kTileVectors < vectors; ++panel) {
      const int64_t at = (panel * sweep_.in.blocks + first) * taps * kLanes * kPanel;
      sum_pixels(
          {.in = source.data,
           .in_plane = source.plane,
           .tap_offset = tap_offset_.data(),
           .taps = taps,
           .blocks = count,
           .weights = weights + at,
           .out = out_ + block.first_image * out_image() + panel * kTileVectors * out_plane(),
           .out_plane = out_plane(),
           .accumulate = first > 0 || sweep_.adds},
          vectors_of(vectors * kLanes, panel), in_offset_.data(), out_offset_.data(),
          static_cast<int64_t>(in_offset_.size()));
    }
  }

  void list_pixels(const PixelBlock& block, const TapClass& part, const Source& source) {
    tap_offset_.clear(), in_offset_.clear(), out_offset_.clear();
    for (const Tap& tap : part.taps) {
      tap_offset_.push_back((tap.row - plan_.top) * source.row +
                            (tap.column - plan_.left) * kLanes);
    }
    const int64_t step = sweep_.in_step;
    const int64_t end = std::min(block.first_row + block.rows, part.height);
    for (int64_t i = 0; i < block.images; ++i) {
      for (int64_t row = block.first_row; row < end; ++row) {
        const int64_t out_row = row * sweep_.out_step + part.row;
        for (int64_t column = 0; column < part.width; ++column) {
          const int64_t out_column = column * sweep_.out_step + part.column;
          in_offset_.push_back(i * source.image + (row - block.first_row) * step * source.row +
                               column * step * kLanes);
          out_offset_.push_back(i * out_image() +
                                (out_row * sweep_.out.width + out_column) * kLanes);
        }
      }
    }
  }

  const Sweep& sweep_;
  const Plan& plan_;
  const float* panels_;
  float* out_;
  float* copy_;
  std::vector<int64_t> tap_offset_, in_offset_, out_offset_;
};

void run(const Sweep& sweep, const float* panels, float* out) {
  const Plan plan(sweep);
  const int64_t floats = ceil_div(plan.copy_floats(sweep), 16) * 16;  // a multiple of 64 bytes
  Tensor copies({omp_get_max_threads(), floats});
  float* memory = copies.data<float>();
#pragma omp parallel
  {
    Runner runner(sweep, plan, panels, out, memory + omp_get_thread_num() * floats);
#pragma omp for schedule(dynamic)
    for (size_t i = 0; i < plan.blocks.size(); ++i) runner.run(plan.blocks[i]);
  }
}

// Every pixel of y becomes the bias.
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

// Panels of all classes behind each other.
Tensor panels_for(CpuContext& ctx, const Tensor& w, const Sweep& sweep, const WeightView& view,
                  const WeightForm& form) {
  return packed_weight(ctx, w, form, panel_floats(view, view.taps), [&](Tensor& packed) {
    float* panels = packed.data<float>();
    for (const TapClass& part : sweep.classes) {
      if (part.taps.empty()) continue;
      pack_panels(view, part.numbers(), panels);
      panels += panel_floats(view, static_cast<int64_t>(part.taps.size()));
    }
  });
}

}  // namespace

void direct_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y) {
  if (bias.defined()) fill_channels(bias, y);
  if (is_1x1(w.shape(), options)) {
    return direct_1x1_forward(ctx, x, w, options.stride, bias.defined(), y);
  }
  Sweep sweep = forward_sweep(x, w.shape(), options, y);
  sweep.adds = bias.defined();
  const Tensor panels = panels_for(ctx, w, sweep, forward_view(w), {kDirectForm, 0, 0});
  run(sweep, panels.data<float>(), y.data<float>());
}

void direct_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, bool adds, Tensor& dx) {
  if (is_1x1(w.shape(), options)) {
    return direct_1x1_backward_data(ctx, dy, w, options.stride, adds, dx);
  }
  Sweep sweep = backward_sweep(dy, w.shape(), options, dx);
  sweep.adds = adds;
  const Tensor panels =
      panels_for(ctx, w, sweep, transposed_view(w), {kDirectForm, options.stride, options.padding});
  run(sweep, panels.data<float>(), dx.data<float>());
}

}  // namespace engine
