// The gradient of the weights by Winograd's formula: dw = G' (sum over tiles of (B' x B) * (A dy
// A')) G, where for every element the sum over tiles is a matrix product of inputs x tiles and
// tiles x outputs.
#include "engine/cpu/panels.h"
#include "engine/cpu/winograd.h"
#include "engine/cpu/winograd_tiles.h"

namespace engine {
namespace {

// Floats of transformed tiles in one strip, and tiles of one run, which then stay in the
// first-level cache. kGroup: input channels whose gradient a thread forms at once. Measured on two
// cores.
constexpr int64_t kStrip = 2 << 20, kRunTiles = 256, kLeastTiles = 12, kGroup = 128;
// Of that few channels the tiles are split in two parts with a sum each. Two threads then share
// nothing: to write what a distant core has read costs several times a write to its own cache.
constexpr int64_t kFewChannels = 256, kFewChannelsStrip = kStrip / 4;

// Where the transformed gradient would outweigh the transformed tiles, there is a single strip, and
// a thread transforms back the gradient of a panel and group of inputs as soon as it stands.
// Elsewhere it is summed up over the strips of a part, in memory.
template <int64_t M>
struct Run {
  static constexpr int64_t kElements = (M + 2) * (M + 2);
  static constexpr int64_t kOwnStride = kGroup * kPanel + 16;  // see element_stride

  Image x, dy;  // of one image; the data is that of the first
  int64_t padding;
  TileGrid<M> grid;
  bool by_group;
  int64_t parts, strips, x_stride, dy_stride, dw_stride;  // strips: of a part
  float* dw;

  Run(const Tensor& image, const Tensor& gradient, int64_t pad, Tensor& weights)
      : x{image.data<float>(), image.shape()[1] / kLanes, image.shape()[2], image.shape()[3]},
        dy{gradient.data<float>(), gradient.shape()[1] / kLanes, gradient.shape()[2],
           gradient.shape()[3]},
        padding(pad),
        grid{gradient.shape()[0], dy.height, dy.width},
        dw(weights.data<float>()) {
    const int64_t channels = inputs() + outputs(), tiles = grid.tiles();
    const bool outweighs = inputs() * outputs() >= tiles * channels;
    by_group = outweighs && omp_get_max_threads() <= panels() * groups();
    const bool few = channels <= kFewChannels && !outweighs;
    parts = few ? 2 : 1;
    const int64_t fit = (few ? kFewChannelsStrip : kStrip) / (kElements * channels);
    strips = by_group ? 1 : ceil_div(ceil_div(tiles, parts), std::max(kLeastTiles, fit));
    const int64_t most = ceil_div(tiles, parts * strips);
    x_stride = element_stride(inputs() * most);
    dy_stride = element_stride(outputs() * most);
    dw_stride = element_stride(panels() * kPanel * inputs());
  }

  int64_t inputs() const { return x.blocks * kLanes; }
  int64_t outputs() const { return dy.blocks * kLanes; }
  int64_t panels() const { return panels_of(outputs()); }
  int64_t groups() const { return ceil_div(inputs(), kGroup); }

  // Floats of memory for the tiles of a strip and the transformed gradient of a part, and for what
  // each thread transforms back.
  int64_t strip_floats() const { return kElements * (x_stride + dy_stride); }
  int64_t sums_floats() const { return by_group ? 0 : kElements * dw_stride; }
  int64_t own_floats() const { return by_group ? kElements * kOwnStride : 0; }

  // Adds a strip of a part to its transformed gradient; the first one overwrites it.
  void strip(int64_t part, int64_t number, float* memory, float* sums, float* own,
             const Team& team) const {
    const Strip tiles = strip_of(grid.tiles(), part * strips + number, parts * strips);
    const Transformed v{memory, x_stride}, z{memory + kElements * x_stride, dy_stride};
    transform_tiles<Winograd<M>::input, M + 2, M + 2>(x, grid, padding, tiles, v, team);
    transform_tiles<Winograd<M>::output_gradient, M, M + 2>(dy, grid, 0, tiles, z, team);
    team.wait();
    const Product product(*this, tiles.tiles(), v, z, number > 0);
    if (by_group) return multiply_by_group(product, own, team);
    team.share(kElements * panels(), [&](int64_t item) {
      const int64_t element = item / panels(), panel = item % panels();
      product(element, panel, 0, inputs(), sums + element * dw_stride + panel * inputs() * kPanel);
    });
  }

  // The sums over the tiles of `count` inputs from `first` on, for one element and panel.
  struct Product {
    const Run& run;
    int64_t tiles, plane;
    Transformed v, z;
    bool accumulate;
    std::vector<int64_t> rows;

    Product(const Run& r, int64_t count, const Transformed& from, const Transformed& gradient,
            bool add)
        : run(r), tiles(count), plane(count * kLanes), v(from), z(gradient), accumulate(add) {
      for (int64_t c = 0; c < run.inputs(); ++c) rows.push_back(c / kLanes * plane + c % kLanes);
    }
    void operator()(int64_t element, int64_t panel, int64_t first, int64_t count,
                    float* sums) const {
      const int64_t first_vector = panel * kTileVectors, here = 0;
      const int64_t runs = ceil_div(tiles, kRunTiles);
      for (int64_t i = 0; i < runs; ++i) {
        const int64_t begin = part_begin(tiles, i, runs);
        sum_weights({.x = v.data + element * v.stride + begin * kLanes,
                     .dy = z.data + element * z.stride + first_vector * plane + begin * kLanes,
                     .dy_plane = plane,
                     .x_run = &here,
                     .dy_run = &here,
                     .runs = 1,
                     .length = part_begin(tiles, i + 1, runs) - begin,
                     .x_step = kLanes,
                     .accumulate = accumulate || i > 0},
                    std::min<int64_t>(run.dy.blocks - first_vector, kTileVectors),
                    rows.data() + first, sums, count);
      }
    }
  };

  void multiply_by_group(const Product& product, float* own, const Team& team) const {
    team.share(panels() * groups(), [&](int64_t item) {
      const int64_t panel = item / groups(), first = item % groups() * kGroup;
      const int64_t count = std::min(kGroup, inputs() - first);
      for (int64_t element = 0; element < kElements; ++element) {
        product(element, panel, first, count, own + element * kOwnStride);
      }
      restore(own, kOwnStride, panel, first, count);
    });
  }

  void restore_all(float* sums, const Team& team) const {
    team.share(panels() * x.blocks, [&](int64_t item) {
      const int64_t panel = item / x.blocks, first = item % x.blocks * kLanes;
      float* to = sums + (panel * inputs() + first) * kPanel;
      for (int64_t element = kElements; element < parts * kElements; ++element) {
        const float* from = to + element * dw_stride;
        float* sum = to + element % kElements * dw_stride;
        for (int64_t i = 0; i < kLanes * kPanel; ++i) sum[i] += from[i];
      }
      restore(to, dw_stride, panel, first, kLanes);
    });
  }

  // dw [O,C,3,3] of a panel and `count` inputs from `first` on; element e of input c of their
  // transformed gradient lies at sums + e * step + (c - first) * kPanel.
  void restore(const float* sums, int64_t step, int64_t panel, int64_t first, int64_t count) const {
    alignas(64) float kernel[9 * kLanes];
    for (int64_t lane = 0; lane < std::min(kPanel, outputs() - panel * kPanel); lane += kLanes) {
      for (int64_t c = 0; c < count; ++c) {
        transform<Winograd<M>::weight_gradient, M + 2, 3>(
            Square<const float>{sums + c * kPanel + lane, (M + 2) * step, step},
            Square<float>{kernel, 3 * kLanes, kLanes});
        for (int64_t o = 0; o < kLanes; ++o) {
          float* to = dw + ((panel * kPanel + lane + o) * inputs() + first + c) * 9;
          for (int64_t tap = 0; tap < 9; ++tap) to[tap] = kernel[tap * kLanes + o];
        }
      }
    }
  }
};

}  // namespace

template <int64_t M>
void winograd_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                    Tensor& dw) {
  const Run<M> run(x, dy, options.padding, dw);
  Tensor memory({run.parts, run.strip_floats()}), transformed({run.parts, run.sums_floats()});
  Tensor owns({omp_get_max_threads(), run.own_floats()});
  float *tiles = memory.data<float>(), *sums = transformed.data<float>();
  float* own_floats = owns.data<float>();
#pragma omp parallel
  {
    const Team team = Team::of(run.parts), all = Team::all();
    float* own = own_floats + all.member * run.own_floats();
    for (int64_t part = team.number; part < run.parts; part += team.teams) {
      for (int64_t i = 0; i < run.strips; ++i) {
        run.strip(part, i, tiles + part * run.strip_floats(), sums + part * run.sums_floats(), own,
                  team);
        team.wait();
      }
    }
    all.wait();
    if (!run.by_group) run.restore_all(sums, all);
  }
}

template void winograd_conv_backward_weights<2>(const Tensor&, const Tensor&, const Conv2dOptions&,
                                                Tensor&);
template void winograd_conv_backward_weights<3>(const Tensor&, const Tensor&, const Conv2dOptions&,
                                                Tensor&);
template void winograd_conv_backward_weights<4>(const Tensor&, const Tensor&, const Conv2dOptions&,
                                                Tensor&);

}  // namespace engine
