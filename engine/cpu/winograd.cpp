#include "engine/cpu/winograd.h"

#include "engine/cpu/panels.h"
#include "engine/cpu/weight_cache.h"
#include "engine/cpu/winograd_tiles.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// Floats of transformed tiles in one strip, measured best on two cores: as many as fit a thread's
// second-level cache, or where those are fewer than kFewTiles tiles, twice as many. kDepth: inputs
// of one pass, whose weights then stay in the first-level cache.
constexpr int64_t kStrip = 256 << 10, kFewTiles = 24, kLeastTiles = 12, kDepth = 128;
// Teams of threads that transform all tiles for themselves where there is a single strip.
constexpr int64_t kTeams = 2;

// A weight's 3x3 kernels, to be transformed. Backward-data correlates with the kernel turned by 180
// degrees: the taps in reverse.
template <int64_t M>
struct Kernels {
  static constexpr int64_t kElements = (M + 2) * (M + 2);

  WeightView view;
  bool turned;

  int64_t panels() const { return panels_of(view.outputs); }
  int64_t blocks() const { return view.inputs / kLanes; }
  // Between the elements of all kernels: element e of panel p and input c lies at
  // data + e * stride() + (p * inputs + c) * kPanel.
  int64_t stride() const { return element_stride(panels() * kPanel * view.inputs); }

  // Those of one panel and input block: element e of its input c goes to out + e * step + c *
  // kPanel.
  void transform_block(int64_t panel, int64_t block, float* out, int64_t step) const {
    std::vector<int64_t> taps = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    if (turned) std::reverse(taps.begin(), taps.end());
    alignas(64) float kernels[9 * kLanes * kLanes] = {};
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < view.outputs) pack_block(view, output, block * kLanes, taps, kernels, kLanes);
      if (output == view.outputs) std::fill(std::begin(kernels), std::end(kernels), 0.0f);
      for (int64_t c = 0; c < kLanes; ++c) {
        const Square<const float> kernel{kernels + c * kLanes, 3 * kLanes * kLanes,
                                         kLanes * kLanes};
        transform<Winograd<M>::weight, 3, M + 2>(
            kernel, Square<float>{out + c * kPanel + lane, (M + 2) * step, step});
      }
    }
  }

  void transform_all(float* out) const {
    parallel_for(panels() * blocks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        transform_block(i / blocks(), i % blocks(), out + i * kLanes * kPanel, stride());
      }
    });
  }
};

// One convolution: where it reads and writes, and its split into strips, each the work of one
// thread: to write what a distant core has read costs several times a write to its own cache. Where
// the transformed weights would outweigh the transformed tiles, there is a single strip for all
// threads, and each transforms the weights of its panels as it needs them: through memory they
// would cost more than the rest.
template <int64_t M>
struct Run {
  static constexpr int64_t kElements = (M + 2) * (M + 2);
  static constexpr int64_t kOwnStride = kDepth * kPanel + 16;  // see element_stride

  Kernels<M> kernels;
  Image in;  // the first; the others lie behind it
  int64_t padding;
  float* out;
  int64_t out_blocks;
  TileGrid<M> grid;
  bool by_panel;
  int64_t strips, in_stride, out_stride;

  Run(const Kernels<M>& k, const Tensor& x, int64_t pad, Tensor& y)
      : kernels(k),
        in{x.data<float>(), x.shape()[1] / kLanes, x.shape()[2], x.shape()[3]},
        padding(pad),
        out(y.data<float>()),
        out_blocks(y.shape()[1] / kLanes),
        grid{y.shape()[0], y.shape()[2], y.shape()[3]} {
    const int64_t channels = (in.blocks + out_blocks) * kLanes;
    const int64_t tiles = grid.tiles(), threads = omp_get_max_threads();
    by_panel = tiles * channels <= k.view.inputs * k.view.outputs && threads <= k.panels();
    const int64_t fit = kStrip / (kElements * channels);
    const int64_t size = std::max(kLeastTiles, fit < kFewTiles ? 2 * fit : fit);
    strips = std::min(tiles, ceil_div(ceil_div(tiles, size), threads) * threads);
    if (by_panel) strips = 1;
    const int64_t most = ceil_div(tiles, strips);
    in_stride = element_stride(in.blocks * kLanes * most);
    out_stride = element_stride(out_blocks * kLanes * most);
  }

  // Floats of memory a strip in work takes, and a thread that transforms weights.
  int64_t strip_floats() const {
    return kElements * ((by_panel ? kTeams : 1) * in_stride + out_stride);
  }
  int64_t own_floats() const { return by_panel ? kElements * kOwnStride : 0; }

  // By one thread.
  void strip(int64_t number, float* memory, const float* weights) const {
    const Strip tiles = strip_of(grid.tiles(), number, strips);
    const Transformed m{memory, out_stride}, v{memory + kElements * out_stride, in_stride};
    transform_tiles<Winograd<M>::input, M + 2, M + 2>(in, grid, padding, tiles, v, Team{});
    multiply(Product(*this, tiles.tiles(), v, m), weights);
    restore_tiles<M>(m, grid, tiles, out_blocks, out, Team{});
  }

  // By all threads, each with memory of its own for weights.
  void single_strip(float* memory, float* own) const {
    const Team all = Team::all(), team = Team::of(kTeams);
    const Strip tiles{0, grid.tiles()};
    const Transformed m{memory, out_stride};
    const Transformed v{memory + kElements * (out_stride + team.number * in_stride), in_stride};
    transform_tiles<Winograd<M>::input, M + 2, M + 2>(in, grid, padding, tiles, v, team);
    team.wait();
    multiply_by_panel(Product(*this, tiles.tiles(), v, m), own, all);
    all.wait();
    restore_tiles<M>(m, grid, tiles, out_blocks, out, all);
  }

  // m[element] += v[element] * weights of `count` input blocks from `first` on, for one panel.
  struct Product {
    const Run& run;
    int64_t plane;
    Transformed v, m;
    std::vector<int64_t> offsets;

    Product(const Run& r, int64_t tiles, const Transformed& from, const Transformed& to)
        : run(r), plane(tiles * kLanes), v(from), m(to) {
      for (int64_t i = 0; i < tiles; ++i) offsets.push_back(i * kLanes);
    }
    void operator()(int64_t element, int64_t panel, int64_t first, int64_t count,
                    const float* weights) const {
      const int64_t first_vector = panel * kTileVectors, here = 0;
      sum_pixels({.in = v.data + element * v.stride + first * plane,
                  .in_plane = plane,
                  .tap_offset = &here,
                  .taps = 1,
                  .blocks = count,
                  .weights = weights,
                  .out = m.data + element * m.stride + first_vector * plane,
                  .out_plane = plane,
                  .accumulate = first > 0},
                 std::min<int64_t>(run.out_blocks - first_vector, kTileVectors), offsets.data(),
                 offsets.data(), static_cast<int64_t>(offsets.size()));
    }
  };

  // Calls f(first, count) for the input blocks of every pass.
  template <class F>
  void for_passes(F&& f) const {
    const int64_t passes = ceil_div(in.blocks, kDepth / kLanes);
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t first = part_begin(in.blocks, pass, passes);
      f(first, part_begin(in.blocks, pass + 1, passes) - first);
    }
  }

  void multiply(const Product& product, const float* weights) const {
    for (int64_t element = 0; element < kElements; ++element) {
      for (int64_t panel = 0; panel < kernels.panels(); ++panel) {
        for_passes([&](int64_t first, int64_t count) {
          const int64_t row = (panel * in.blocks + first) * kLanes;
          product(element, panel, first, count,
                  weights + element * kernels.stride() + row * kPanel);
        });
      }
    }
  }

  void multiply_by_panel(const Product& product, float* own, const Team& team) const {
    team.share(kernels.panels(), [&](int64_t panel) {
      for_passes([&](int64_t first, int64_t count) {
        for (int64_t b = 0; b < count; ++b) {
          kernels.transform_block(panel, first + b, own + b * kLanes * kPanel, kOwnStride);
        }
        for (int64_t element = 0; element < kElements; ++element) {
          product(element, panel, first, count, own + element * kOwnStride);
        }
      });
    });
  }
};

template <int64_t M>
void convolve(CpuContext& ctx, const Tensor& x, int64_t padding, const Tensor& w,
              const Kernels<M>& kernels, Tensor& y) {
  const Run<M> run(kernels, x, padding, y);
  const int64_t threads = omp_get_max_threads();
  Tensor memory({run.by_panel ? 1 : threads, run.strip_floats()});
  Tensor own({threads, run.own_floats()}), all;
  if (!run.by_panel) {
    all = packed_weight(ctx, w, {kWinogradForm, M, kernels.turned},
                        kernels.kElements * kernels.stride(),
                        [&](Tensor& packed) { kernels.transform_all(packed.data<float>()); });
  }
  Tensor& used = run.by_panel ? own : all;
  float *floats = memory.data<float>(), *weights = used.data<float>();
#pragma omp parallel
  if (const int64_t thread = omp_get_thread_num(); run.by_panel) {
    run.single_strip(floats, weights + thread * run.own_floats());
  } else {
#pragma omp for schedule(dynamic) nowait
    for (int64_t i = 0; i < run.strips; ++i) {
      run.strip(i, floats + thread * run.strip_floats(), weights);
    }
  }
}

}  // namespace

template <int64_t M>
void winograd_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y) {
  convolve(ctx, x, options.padding, w, Kernels<M>{forward_view(w), /*turned=*/false}, y);
}

template <int64_t M>
void winograd_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, Tensor& dx) {
  convolve(ctx, dy, 2 - options.padding, w, Kernels<M>{transposed_view(w), /*turned=*/true}, dx);
}

template void winograd_conv_forward<2>(CpuContext&, const Tensor&, const Tensor&,
                                       const Conv2dOptions&, Tensor&);
template void winograd_conv_forward<3>(CpuContext&, const Tensor&, const Tensor&,
                                       const Conv2dOptions&, Tensor&);
template void winograd_conv_forward<4>(CpuContext&, const Tensor&, const Tensor&,
                                       const Conv2dOptions&, Tensor&);
template void winograd_conv_backward_data<2>(CpuContext&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);
template void winograd_conv_backward_data<3>(CpuContext&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);
template void winograd_conv_backward_data<4>(CpuContext&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);

}  // namespace engine
