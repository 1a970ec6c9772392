#include "engine/cpu/conv/direct_1x1.h"

#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/window.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// What measured best on two cores. Inputs of a pass: its weights (kDepth * kPanel floats) stay in
// the second-level cache beside kPixels pixels, those of a range. A range has at least kLeastPixels
// where weights are packed for each. kAhead: how many pixels before its use a pixel is asked for.
constexpr int64_t kDepth = 512, kPixels = 448, kLeastPixels = 96, kAhead = 8 * kTileRows;
// From this many pixels on, weights are packed before the product, once for all threads.
constexpr int64_t kManyPixels = 4096;

// Pixels begin .. end-1, counted over images, a whole number of register tiles but for the last.
struct Range {
  int64_t begin, end;
};
Range range_of(int64_t pixels, int64_t part, int64_t parts) {
  const int64_t tiles = ceil_div(pixels, kTileRows);
  return {part_begin(tiles, part, parts) * kTileRows,
          std::min(part_begin(tiles, part + 1, parts) * kTileRows, pixels)};
}

struct Product {
  const WeightView& view;
  const float* in;
  float* out;
  bool adds;
  int64_t image_pixels, pixels;

  Product(const Tensor& x, const WeightView& w, bool accumulate, Tensor& y)
      : view(w),
        in(x.data<float>()),
        out(y.data<float>()),
        adds(accumulate),
        image_pixels(x.shape()[2] * x.shape()[3]),
        pixels(x.shape()[0] * image_pixels) {}

  int64_t in_blocks() const { return view.inputs / kLanes; }
  int64_t panels() const { return panels_of(view.outputs); }

  // Where the weights of a panel lie from input block `first` on, of as many inputs as a pass may
  // have.
  Lines weights(int64_t panel, int64_t first) const {
    const int64_t output = panel * kPanel, input = first * kLanes;
    const int64_t outputs = std::min(view.outputs - output, kPanel);
    const int64_t inputs = std::min(view.inputs - input, kDepth);
    const float* corner = view.data + output * view.output_stride + input * view.input_stride;
    return view.output_stride == 1 ? Lines{corner, outputs, view.input_stride, inputs}
                                   : Lines{corner, inputs, view.output_stride, outputs};
  }

  // Calls f(first, count) for the input blocks of every pass.
  template <class F>
  void for_passes(F&& f) const {
    for_parts(in_blocks(), ceil_div(view.inputs, kDepth), f);
  }
};

// Where the pixels of a range lie in the input and in the output, for one block of channels.
class Pixels {
 public:
  Pixels(const Product& product, const Range& range) : p_(product) {
    int64_t image = range.begin / p_.image_pixels, pixel = range.begin % p_.image_pixels;
    for (int64_t i = range.begin; i < range.end; ++i, ++pixel) {
      if (pixel == p_.image_pixels) pixel = 0, ++image;
      in_.push_back(image * p_.view.inputs * p_.image_pixels + pixel * kLanes);
      out_.push_back(image * p_.view.outputs * p_.image_pixels + pixel * kLanes);
    }
    // The last pixels ask for the first, which come next, with other weights.
    for (int64_t i = 0; i < kAhead; ++i) in_.push_back(in_[i]);
  }

  // Adds what `count` input blocks from `first` on give to the outputs of a panel.
  void sum(int64_t panel, int64_t first, int64_t count, const float* weights,
           Lines* weights_ahead = nullptr) const {
    const int64_t here = 0, plane = p_.image_pixels * kLanes, vector = panel * kTileVectors;
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
                .weights_ahead = weights_ahead},
               vectors_of(p_.view.outputs, panel), in_.data(), out_.data(),
               static_cast<int64_t>(out_.size()));
  }

 private:
  const Product& p_;
  std::vector<int64_t> in_, out_;
};

// Each thread takes blocks of pixels, all outputs of them.
void by_pixels(const Product& p, const float* weights) {
  const int64_t threads = omp_get_max_threads();
  const int64_t parts = std::min(ceil_div(ceil_div(p.pixels, kPixels), threads) * threads,
                                 ceil_div(p.pixels, kTileRows));
  parallel_items(parts, [&](int64_t part) {
    const Pixels pixels(p, range_of(p.pixels, part, parts));
    p.for_passes([&](int64_t first, int64_t count) {
      for (int64_t panel = 0; panel < p.panels(); ++panel) {
        pixels.sum(panel, first, count,
                   weights + (panel * p.in_blocks() + first) * kLanes * kPanel);
      }
    });
  });
}

// Tasks are panels of outputs of parts of the pixels; each packs its weights for itself: through
// memory, packed weights would cost more, most of all what another core has written.
void by_panels(const Product& p) {
  const int64_t threads = omp_get_max_threads();
  const int64_t parts = std::clamp<int64_t>(ceil_div(4 * threads, p.panels()), 1,
                                            std::max<int64_t>(p.pixels / kLeastPixels, 1));
  const int64_t floats = std::min(kDepth, p.view.inputs) * kPanel;
  Tensor memory({threads, floats});
  float* own = memory.data<float>();
  parallel_items(p.panels() * parts, [&](int64_t task) {
    const int64_t panel = task % p.panels();
    float* weights = own + omp_get_thread_num() * floats;
    const Pixels pixels(p, range_of(p.pixels, task / p.panels(), parts));
    p.for_passes([&](int64_t first, int64_t count) {
      pack_panel(p.view, {0}, panel, first, count, weights);
      const bool last = first + count == p.in_blocks();
      Lines next = last ? p.weights((panel + 1) % p.panels(), 0) : p.weights(panel, first + count);
      pixels.sum(panel, first, count, weights, &next);
    });
  });
}

// out [N,O,H,W] = (adds ? out : 0) + view * in [N,I,H,W] at every pixel.
void multiply(CpuContext& ctx, const Tensor& in, const Tensor& w, const WeightView& view, bool adds,
              Tensor& out) {
  const Product product(in, view, adds, out);
  if (product.pixels < kManyPixels) return by_panels(product);
  const bool transposed = view.output_stride == 1;
  const Tensor packed =
      packed_weight(ctx, w, {kDirectForm, transposed}, panel_floats(view, 1),
                    [&](Tensor& panels) { pack_panels(view, {0}, panels.data<float>()); });
  by_pixels(product, packed.data<float>());
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
