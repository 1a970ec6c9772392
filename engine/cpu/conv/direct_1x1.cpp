#include "engine/cpu/conv/direct_1x1.h"

#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/window.h"
#include "engine/cpu/conv/workers.h"

namespace engine {
namespace {

// The fastest values on two cores. kDepth: inputs of one pass, whose weights (kDepth * kPanel
// floats) then stay in the L2 cache beside the kPixels pixels of a task. kAhead: a pixel is
// prefetched this many pixels before its use.
constexpr int64_t kDepth = 512, kPixels = 448, kAhead = 8 * kRegisterRows;
// With fewer pixels than kManyPixels, every task packs its own weights and takes at least
// kLeastPixels.
constexpr int64_t kManyPixels = 4096, kLeastPixels = 96;

// out [N,O,H,W] = (adds ? out : 0) + weights * in [N,I,H,W] at every pixel.
struct Problem {
  const WeightView& weights;
  const float* in;
  float* out;
  bool adds;
  int64_t image_pixels, pixels;   // of one image, of all
  const float* panels = nullptr;  // the packed weights, unless tasks pack their own

  Problem(const Tensor& x, const WeightView& w, bool accumulate, Tensor& y)
      : weights(w),
        in(x.data<float>()),
        out(y.data<float>()),
        adds(accumulate),
        image_pixels(x.shape()[2] * x.shape()[3]),
        pixels(x.shape()[0] * image_pixels) {}

  int64_t in_blocks() const { return weights.inputs / kLanes; }
  int64_t panel_count() const { return panels_of(weights.outputs); }

  // The weights of a panel and of one pass, which begins with input block `first`.
  LinesAhead lines(int64_t panel, int64_t first) const {
    const int64_t output = panel * kPanel, input = first * kLanes;
    const int64_t outputs = std::min(weights.outputs - output, kPanel);
    const int64_t inputs = std::min(weights.inputs - input, kDepth);
    const float* corner =
        weights.data + output * weights.output_stride + input * weights.input_stride;
    return weights.output_stride == 1 ? LinesAhead{corner, outputs, weights.input_stride, inputs}
                                      : LinesAhead{corner, inputs, weights.output_stride, outputs};
  }
};

// With many pixels, weights are packed beforehand, and a task is a range of pixels with all
// outputs. With few, a task is one panel and a range of pixels, and packs its weights itself.
// Weights packed by another thread would come through memory or from its core, which costs more
// than packing.
struct Plan {
  bool packs;      // each task packs its weights
  int64_t ranges;  // of pixels
  int64_t tasks, worker_floats;

  explicit Plan(const Problem& p) : packs(p.pixels < kManyPixels) {
    const int64_t threads = omp_get_max_threads(), panels = p.panel_count();
    ranges = packs ? std::clamp<int64_t>(ceil_div(4 * threads, panels), 1,
                                         std::max<int64_t>(p.pixels / kLeastPixels, 1))
                   : std::min(ceil_div(ceil_div(p.pixels, kPixels), threads) * threads,
                              ceil_div(p.pixels, kRegisterRows));
    tasks = packs ? panels * ranges : ranges;
    worker_floats = packs ? std::min(kDepth, p.weights.inputs) * kPanel : 0;
  }
};

class Worker {
 public:
  Worker(const Problem& problem, const Plan& plan, float* weights)
      : p_(problem), plan_(plan), weights_(weights) {}

  void run(int64_t task) {
    const int64_t panels = p_.panel_count(), blocks = p_.in_blocks();
    list_pixels(plan_.packs ? task / panels : task);
    for_parts(blocks, ceil_div(p_.weights.inputs, kDepth), [&](int64_t first, int64_t count) {
      if (plan_.packs) return pack_and_sum(task % panels, first, count);
      for (int64_t panel = 0; panel < panels; ++panel) {
        sum(panel, first, count, p_.panels + (panel * blocks + first) * kLanes * kPanel, nullptr);
      }
    });
  }

 private:
  // Where the pixels of a range begin in the input and in the output, for one channel block. A
  // range is a whole number of register tiles, except the last one.
  void list_pixels(int64_t range) {
    const int64_t tiles = ceil_div(p_.pixels, kRegisterRows);
    const int64_t begin = part_begin(tiles, range, plan_.ranges) * kRegisterRows;
    const int64_t end =
        std::min(part_begin(tiles, range + 1, plan_.ranges) * kRegisterRows, p_.pixels);
    int64_t image = begin / p_.image_pixels, pixel = begin % p_.image_pixels;
    in_.clear(), out_.clear();
    for (int64_t i = begin; i < end; ++i, ++pixel) {
      if (pixel == p_.image_pixels) pixel = 0, ++image;
      in_.push_back(image * p_.weights.inputs * p_.image_pixels + pixel * kLanes);
      out_.push_back(image * p_.weights.outputs * p_.image_pixels + pixel * kLanes);
    }
    // The last pixels prefetch the first, which come next, with other weights.
    for (int64_t i = 0; i < kAhead; ++i) in_.push_back(in_[i]);
  }

  void pack_and_sum(int64_t panel, int64_t first, int64_t count) {
    pack_panel(p_.weights, {0}, panel, first, count, weights_);
    const bool last = first + count == p_.in_blocks();
    LinesAhead next =
        last ? p_.lines((panel + 1) % p_.panel_count(), 0) : p_.lines(panel, first + count);
    sum(panel, first, count, weights_, &next);
  }

  // Adds what `count` input blocks from `first` on give to the outputs of a panel.
  void sum(int64_t panel, int64_t first, int64_t count, const float* weights, LinesAhead* next) {
    const int64_t here = 0, plane = p_.image_pixels * kLanes, vector = panel * kRegisterVectors;
    sum_pixels({.in = p_.in + first * plane,
                .in_plane = plane,
                .tap_offset = &here,
                .taps = 1,
                .blocks = count,
                .weights = weights,
                .out = p_.out + vector * plane,
                .out_plane = plane,
                .accumulate = first > 0 || p_.adds,
                .ahead = kAhead,
                .weights_ahead = next},
               vectors_of(p_.weights.outputs, panel), in_.data(), out_.data(),
               static_cast<int64_t>(out_.size()));
  }

  const Problem& p_;
  const Plan& plan_;
  float* weights_;
  std::vector<int64_t> in_, out_;
};

void multiply(CpuContext& ctx, const Tensor& in, const Tensor& w, const WeightView& view, bool adds,
              Tensor& out) {
  Problem p(in, view, adds, out);
  const Plan plan(p);
  if (plan.packs) return run_workers<Worker>(p, plan);
  const bool transposed = view.output_stride == 1;
  const Tensor packed =
      packed_weight(ctx, w, {kDirectForm, transposed}, panel_floats(view, 1),
                    [&](Tensor& panels) { pack_panels(view, {0}, panels.data<float>()); });
  p.panels = packed.data<float>();
  run_workers<Worker>(p, plan);
}

}  // namespace

void direct_1x1_forward(CpuContext& ctx, const Tensor& x, const Tensor& w, int64_t stride,
                        bool adds, Tensor& y) {
  multiply(ctx, stride == 1 ? x : gather_pixels(x, stride), w, forward_view(w), adds, y);
}

void direct_1x1_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w, int64_t stride,
                              bool adds, Tensor& dx) {
  if (stride == 1) return multiply(ctx, dy, w, transposed_view(w), adds, dx);
  const Shape &from = dy.shape(), &to = dx.shape();
  Tensor pixels({to[0], to[1], from[2], from[3]}, dx.dtype(), dx.device(), dx.layout());
  multiply(ctx, dy, w, transposed_view(w), false, pixels);
  scatter_pixels(pixels, stride, adds, dx);
}

}  // namespace engine
