#include "engine/cpu/conv/winograd.h"

#include <algorithm>
#include <vector>

#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/winograd_scheme.h"
#include "engine/cpu/conv/winograd_tiles.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// Floats of transformed tiles in one strip: as many as fit a thread's second-level cache. kDepth:
// inputs of one pass, whose weights then stay in the first-level cache. Measured on two cores.
constexpr int64_t kStrip = 256 << 10, kLeastTiles = 12, kDepth = 128;
// Teams of threads that transform all tiles for themselves where there is a single strip.
constexpr int64_t kTeams = 2;

// A weight's 3x3 kernels, to be transformed. Backward-data correlates with the kernel turned by 180
// degrees: the taps in reverse.
template <class Scheme>
struct Kernels {
  static constexpr int64_t kCount = Scheme::kKernels * Scheme::kKernels;

  WeightView view;
  bool turned;

  int64_t panels() const { return panels_of(view.outputs); }
  int64_t blocks() const { return view.inputs / kLanes; }
  // Kernel k of panel p and input c lies at data + (p * kCount + k) * stride() + c * kPanel.
  int64_t stride() const { return element_stride(view.inputs * kPanel); }
  int64_t floats() const { return panels() * kCount * stride(); }

  // Those of one panel and input block: kernel k of its input c goes to out + k * step + c *
  // kPanel.
  void transform_block(int64_t panel, int64_t block, float* out, int64_t step) const {
    std::vector<int64_t> taps = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    if (turned) std::reverse(taps.begin(), taps.end());
    alignas(64) float kernels[9 * kLanes * kLanes];
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < view.outputs) pack_block(view, output, block * kLanes, taps, kernels, kLanes);
      if (output == view.outputs) std::fill(std::begin(kernels), std::end(kernels), 0.0f);
      for (int64_t c = 0; c < kLanes; ++c) {
        const Square<const float> kernel{kernels + c * kLanes, 3 * kLanes * kLanes,
                                         kLanes * kLanes};
        transform<spread<Scheme::kWeight>, 3, Scheme::kKernels>(
            kernel, Square<float>{out + c * kPanel + lane, Scheme::kKernels * step, step});
      }
    }
  }

  void transform_all(float* out) const {
    parallel_for(panels() * blocks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i / blocks(), block = i % blocks();
        transform_block(panel, block, out + panel * kCount * stride() + block * kLanes * kPanel,
                        stride());
      }
    });
  }
};

// One convolution: where it reads and writes, and its split into strips, each the work of one
// thread: to write what a distant core has read costs several times a write to its own cache. Where
// the transformed weights would outweigh the transformed tiles, there is a single strip for all
// threads, and each transforms the weights of its panels as it needs them: through memory they
// would cost more than the rest.
template <class Scheme>
struct Run {
  // In both dimensions.
  static constexpr int64_t kElements = Scheme::kElements * Scheme::kElements;
  static constexpr int64_t kKernels = Kernels<Scheme>::kCount;
  static constexpr int64_t kOwnStride = kDepth * kPanel + 16;  // see element_stride

  Kernels<Scheme> kernels;
  ChannelImage in;  // the first; the others lie behind it
  int64_t padding;
  bool adds;  // to what out holds
  float* out;
  int64_t out_blocks;
  TileGrid<Scheme::kTile> grid;
  ElementOrder<Scheme> order;
  bool by_panel;
  int64_t strips, in_stride, out_stride;

  Run(const Kernels<Scheme>& k, const Tensor& x, int64_t pad, bool accumulate, Tensor& y)
      : kernels(k),
        in(image_of(x)),
        padding(pad),
        adds(accumulate),
        out(y.data<float>()),
        out_blocks(y.shape()[1] / kLanes),
        grid{y.shape()[0], y.shape()[2], y.shape()[3]} {
    const int64_t inputs = k.view.inputs, outputs = k.view.outputs;
    const int64_t tiles = grid.tiles(), threads = omp_get_max_threads();
    by_panel = kElements * tiles * (inputs + outputs) <= kKernels * inputs * outputs &&
               threads <= k.panels();
    const int64_t fit = kStrip / (kElements * (inputs + kPanel));
    const int64_t size = std::max(kLeastTiles, fit / kTileRows * kTileRows);
    const int64_t wanted = ceil_div(ceil_div(tiles, size), threads) * threads;
    strips = by_panel ? 1 : std::min(wanted, row_groups());
    const int64_t most = ceil_div(row_groups(), strips) * kTileRows;
    in_stride = element_stride(inputs * most);
    out_stride = element_stride(kPanel * most);
  }

  // Strips are dealt whole register tiles: a part of one takes nearly as long.
  int64_t row_groups() const { return ceil_div(grid.tiles(), kTileRows); }

  // Floats of memory: of a strip in work, or of a team's transformed tiles; and of a thread that
  // works on a panel.
  int64_t tile_floats() const { return kElements * in_stride; }
  int64_t own_floats() const {
    return kElements * out_stride + (by_panel ? kKernels * kOwnStride : 0);
  }

  // By one thread.
  void strip(int64_t number, float* memory, float* own, const float* weights) const {
    const int64_t begin = part_begin(row_groups(), number, strips) * kTileRows;
    const int64_t end = part_begin(row_groups(), number + 1, strips) * kTileRows;
    const TileStrip tiles{begin, std::min(grid.tiles(), end)};
    const Transformed v{memory, in_stride}, m{own, out_stride};
    transform_tiles<Scheme::kInput>(in, grid, Scheme::kStep, padding, tiles, v, Team{});
    const Product product(*this, tiles.tiles(), v, m);
    for (int64_t panel = 0; panel < kernels.panels(); ++panel) {
      const float* used = weights + panel * kKernels * kernels.stride();
      for (int64_t k = 0; k < kKernels; ++k) {
        for_passes([&](int64_t first, int64_t count) {
          product(k, panel, first, count, used + k * kernels.stride() + first * kLanes * kPanel);
        });
      }
      restore(panel, tiles, m);
    }
  }

  // By all threads, each with memory of its own for weights.
  void single_strip(float* memory, float* own) const {
    const Team all = Team::all(), team = Team::of(kTeams);
    const TileStrip tiles{0, grid.tiles()};
    const Transformed m{own, out_stride};
    const Transformed v{memory + team.number * tile_floats(), in_stride};
    float* weights = own + kElements * out_stride;
    transform_tiles<Scheme::kInput>(in, grid, Scheme::kStep, padding, tiles, v, team);
    team.wait();
    const Product product(*this, tiles.tiles(), v, m);
    all.share(kernels.panels(), [&](int64_t panel) {
      for_passes([&](int64_t first, int64_t count) {
        for (int64_t b = 0; b < count; ++b) {
          kernels.transform_block(panel, first + b, weights + b * kLanes * kPanel, kOwnStride);
        }
        for (int64_t k = 0; k < kKernels; ++k) {
          product(k, panel, first, count, weights + k * kOwnStride);
        }
      });
      restore(panel, tiles, m);
    });
  }

  int64_t vectors(int64_t panel) const { return vectors_of(out_blocks * kLanes, panel); }
  void restore(int64_t panel, const TileStrip& tiles, const Transformed& m) const {
    restore_tiles<Scheme::kOutput>(m, grid, tiles, panel * kTileVectors, vectors(panel), out_blocks,
                                   adds, out);
  }

  // m[element] += v[element] * weights of `count` input blocks from `first` on, for one panel and
  // all elements of a kernel.
  struct Product {
    const Run& run;
    int64_t tiles, plane;
    Transformed v, m;
    std::vector<int64_t> from, to;

    Product(const Run& r, int64_t count, const Transformed& in, const Transformed& out)
        : run(r), tiles(count), plane(count * kLanes), v(in), m(out) {
      from.reserve(kElements * count);
      to.reserve(kElements * count);
      for (const int64_t element : r.order.element) {
        for (int64_t i = 0; i < count; ++i) {
          from.push_back(element * v.stride + i * kLanes);
          to.push_back(element * m.stride + i * kLanes);
        }
      }
    }
    void operator()(int64_t kernel, int64_t panel, int64_t first, int64_t count,
                    const float* weights) const {
      const int64_t here = 0, begin = run.order.begin[kernel], end = run.order.begin[kernel + 1];
      sum_pixels({.in = v.data + first * plane,
                  .in_plane = plane,
                  .tap_offset = &here,
                  .taps = 1,
                  .blocks = count,
                  .weights = weights,
                  .out = m.data,
                  .out_plane = plane,
                  .accumulate = first > 0},
                 run.vectors(panel), from.data() + begin * tiles, to.data() + begin * tiles,
                 (end - begin) * tiles);
    }
  };

  // Calls f(first, count) for the input blocks of every pass.
  template <class F>
  void for_passes(F&& f) const {
    for_parts(in.blocks, ceil_div(in.blocks, kDepth / kLanes), f);
  }
};

template <class Scheme>
void convolve(CpuContext& ctx, const Tensor& x, int64_t padding, const Tensor& w,
              const Kernels<Scheme>& kernels, bool adds, Tensor& y) {
  const Run<Scheme> run(kernels, x, padding, adds, y);
  const int64_t threads = omp_get_max_threads();
  Tensor memory({run.by_panel ? kTeams : threads, run.tile_floats()});
  Tensor own({threads, run.own_floats()}), weights;
  if (!run.by_panel) {
    weights = packed_weight(
        ctx, w, {kWinogradForm, Scheme::kTile, Scheme::kKernels, kernels.turned}, kernels.floats(),
        [&](Tensor& packed) { kernels.transform_all(packed.data<float>()); });
  }
  float *floats = memory.data<float>(), *own_floats = own.data<float>();
  const float* transformed = run.by_panel ? nullptr : weights.data<float>();
  if (run.by_panel) {
#pragma omp parallel
    run.single_strip(floats, own_floats + omp_get_thread_num() * run.own_floats());
    return;
  }
  parallel_items(run.strips, [&](int64_t strip) {
    const int64_t thread = omp_get_thread_num();
    run.strip(strip, floats + thread * run.tile_floats(), own_floats + thread * run.own_floats(),
              transformed);
  });
}

}  // namespace

void winograd_conv_forward(CpuContext& ctx, int64_t tile, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y) {
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    convolve(ctx, x, options.padding, w, Kernels<Scheme>{forward_view(w), /*turned=*/false},
             /*adds=*/false, y);
  });
}

void winograd_conv_backward_data(CpuContext& ctx, int64_t tile, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, bool adds, Tensor& dx) {
  const int64_t padding = options.stride == 1 ? 2 - options.padding : 0;
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    using Gradient = typename Scheme::Gradient;
    convolve(ctx, dy, padding, w, Kernels<Gradient>{transposed_view(w), /*turned=*/true}, adds, dx);
  });
}

}  // namespace engine
