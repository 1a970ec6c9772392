#include "engine/cpu/winograd.h"

#include "engine/cpu/panels.h"
#include "engine/cpu/weight_cache.h"
#include "engine/cpu/winograd_tiles.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// Floats of transformed tiles in one strip, measured best on two cores with AVX2: a strip a thread
// in its second-level cache as long as that holds kFewTiles tiles, else one larger strip that all
// threads share in the third-level cache. kDepth: inputs of one pass, whose weights then stay in
// the first-level cache.
constexpr int64_t kOwnStrip = 256 << 10, kSharedStrip = 2 << 20, kFewTiles = 24, kDepth = 128;
constexpr int64_t kLeastTiles = 12;

// Transformed weights: element e of panel p and input c lies at
// data + e * stride + (p * inputs + c) * kPanel.
template <int64_t M>
int64_t weight_stride(const WeightView& w) {
  return element_stride(panels_of(w.outputs) * kPanel * w.inputs);
}

// Backward-data correlates with the kernel turned by 180 degrees: the taps in reverse.
template <int64_t M>
void transform_weights(const WeightView& w, bool turned, float* out) {
  constexpr int64_t E = M + 2;
  std::vector<int64_t> taps = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  if (turned) std::reverse(taps.begin(), taps.end());
  const int64_t stride = weight_stride<M>(w), blocks = w.inputs / kLanes;
  const auto one = [&](int64_t panel, int64_t block) {
    alignas(64) float kernels[9 * kLanes * kLanes] = {};
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const int64_t output = panel * kPanel + lane;
      if (output < w.outputs) pack_block(w, output, block * kLanes, taps, kernels, kLanes);
      if (output == w.outputs) std::fill(std::begin(kernels), std::end(kernels), 0.0f);
      for (int64_t c = 0; c < kLanes; ++c) {
        const float* kernel = kernels + c * kLanes;
        float* to = out + (panel * w.inputs + block * kLanes + c) * kPanel + lane;
        transform<3, E>(Winograd<M>::weight,
                        Square<const float>{kernel, 3 * kLanes * kLanes, kLanes * kLanes},
                        Square<float>{to, E * stride, stride});
      }
    }
  };
  parallel_for(panels_of(w.outputs) * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) one(i / blocks, i % blocks);
  });
}

// One convolution: where it reads and writes, and its split into strips.
template <int64_t M>
struct Run {
  static constexpr int64_t kElements = (M + 2) * (M + 2);

  Image in;
  int64_t padding;
  const float* weights;
  int64_t weight_stride;
  float* out;
  int64_t out_blocks;
  TileGrid<M> grid;
  bool shared;
  int64_t strips, in_stride, out_stride;

  Run(const Tensor& x, int64_t pad, const float* u, int64_t u_stride, Tensor& y)
      : in{x.data<float>(), x.shape()[1] / kLanes, x.shape()[2], x.shape()[3]},
        padding(pad),
        weights(u),
        weight_stride(u_stride),
        out(y.data<float>()),
        out_blocks(y.shape()[1] / kLanes),
        grid{y.shape()[0], y.shape()[2], y.shape()[3]} {
    const int64_t tile_floats = kElements * (in.blocks + out_blocks) * kLanes;
    const int64_t tiles = grid.tiles(), threads = omp_get_max_threads();
    shared = kOwnStrip / tile_floats < kFewTiles;
    strips =
        ceil_div(tiles, std::max(kLeastTiles, (shared ? kSharedStrip : kOwnStrip) / tile_floats));
    if (!shared) strips = std::min(tiles, ceil_div(strips, threads) * threads);
    const int64_t most = ceil_div(tiles, strips);
    in_stride = element_stride(in.blocks * kLanes * most);
    out_stride = element_stride(out_blocks * kLanes * most);
  }

  // Floats of memory a strip in work takes.
  int64_t strip_floats() const { return kElements * (in_stride + out_stride); }

  void strip(int64_t number, float* memory, const Team& team) const {
    const Strip tiles = strip_of(grid.tiles(), number, strips);
    const Transformed v{memory, in_stride}, m{memory + kElements * in_stride, out_stride};
    transform_tiles<M, M + 2, M + 2>(Winograd<M>::input, in, grid, padding, tiles, v, team);
    team.wait();
    multiply(tiles.tiles(), v, m, team);
    team.wait();
    restore_tiles<M>(m, grid, tiles, out_blocks, out, team);
  }

  // m[element] = v[element] * weights[element]
  void multiply(int64_t tiles, const Transformed& v, const Transformed& m, const Team& team) const {
    const int64_t panels = panels_of(out_blocks * kLanes), plane = tiles * kLanes, here = 0;
    const int64_t passes = ceil_div(in.blocks, kDepth / kLanes);
    std::vector<int64_t> offsets(static_cast<size_t>(tiles));
    for (int64_t i = 0; i < tiles; ++i) offsets[static_cast<size_t>(i)] = i * kLanes;
    team.share(kElements * panels, [&](int64_t item) {
      const int64_t element = item / panels, panel = item % panels;
      const int64_t first_vector = panel * kTileVectors;
      for (int64_t pass = 0; pass < passes; ++pass) {
        const int64_t first = part_begin(in.blocks, pass, passes);
        const int64_t row = (panel * in.blocks + first) * kLanes;
        sum_pixels({.in = v.data + element * v.stride + first * plane,
                    .in_plane = plane,
                    .tap_offset = &here,
                    .taps = 1,
                    .blocks = part_begin(in.blocks, pass + 1, passes) - first,
                    .weights = weights + element * weight_stride + row * kPanel,
                    .out = m.data + element * m.stride + first_vector * plane,
                    .out_plane = plane,
                    .accumulate = pass > 0},
                   std::min<int64_t>(out_blocks - first_vector, kTileVectors), offsets.data(),
                   offsets.data(), tiles);
      }
    });
  }
};

template <int64_t M>
void convolve(const Tensor& x, int64_t padding, const Tensor& weights, int64_t weight_stride,
              Tensor& y) {
  const Run<M> run(x, padding, weights.data<float>(), weight_stride, y);
  const int64_t teams = run.shared ? 1 : std::min<int64_t>(omp_get_max_threads(), run.strips);
  Tensor memory({teams, run.strip_floats()});
  float* floats = memory.data<float>();
#pragma omp parallel
  {
    const Team all = Team::all();
    if (run.shared) {
      for (int64_t i = 0; i < run.strips; ++i) run.strip(i, floats, all);
    } else {
      float* own = floats + all.member * run.strip_floats();
      for (int64_t i = all.member; i < run.strips; i += all.size) run.strip(i, own, Team{});
    }
  }
}

template <int64_t M>
Tensor weights_for(CpuContext& ctx, const Tensor& w, const WeightView& view, bool turned) {
  const int64_t floats = (M + 2) * (M + 2) * weight_stride<M>(view);
  return packed_weight(ctx, w, {kWinogradForm, M, turned}, floats, [&](Tensor& packed) {
    transform_weights<M>(view, turned, packed.data<float>());
  });
}

}  // namespace

template <int64_t M>
void winograd_conv_forward(CpuContext& ctx, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y) {
  const WeightView view = forward_view(w);
  convolve<M>(x, options.padding, weights_for<M>(ctx, w, view, false), weight_stride<M>(view), y);
}

template <int64_t M>
void winograd_conv_backward_data(CpuContext& ctx, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, Tensor& dx) {
  const WeightView view = transposed_view(w);
  convolve<M>(dy, 2 - options.padding, weights_for<M>(ctx, w, view, true), weight_stride<M>(view),
              dx);
}

template void winograd_conv_forward<2>(CpuContext&, const Tensor&, const Tensor&,
                                       const Conv2dOptions&, Tensor&);
template void winograd_conv_forward<4>(CpuContext&, const Tensor&, const Tensor&,
                                       const Conv2dOptions&, Tensor&);
template void winograd_conv_backward_data<2>(CpuContext&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);
template void winograd_conv_backward_data<4>(CpuContext&, const Tensor&, const Tensor&,
                                             const Conv2dOptions&, Tensor&);

}  // namespace engine
