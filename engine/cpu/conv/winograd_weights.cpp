// The gradient of the weights by Winograd's formula: dw = G' (sum over tiles of (B' x B) * (A dy
// A')) G, where for every element the sum over tiles is a matrix product of inputs x tiles and
// tiles x outputs.
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/winograd_scheme.h"
#include "engine/cpu/conv/winograd_tiles.h"

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
template <class Scheme>
struct Run {
  // In both dimensions.
  static constexpr int64_t kElements = Scheme::kElements * Scheme::kElements;
  static constexpr int64_t kKernels = Scheme::kKernels * Scheme::kKernels;
  static constexpr int64_t kOwnStride = kGroup * kPanel + 16;  // see element_stride

  ChannelImage x, dy;  // of one image; the data is that of the first
  int64_t padding;
  TileGrid<Scheme::kTile> grid;
  ElementOrder<Scheme> order;
  bool by_group;
  int64_t parts, strips, x_stride, dy_stride, dw_stride;  // strips: of a part
  float* dw;

  Run(const Tensor& image, const Tensor& gradient, int64_t pad, Tensor& weights)
      : x(image_of(image)),
        dy(image_of(gradient)),
        padding(pad),
        grid{gradient.shape()[0], dy.height, dy.width},
        dw(weights.data<float>()) {
    const int64_t channels = inputs() + outputs(), tiles = grid.tiles();
    const bool outweighs = kKernels * inputs() * outputs() >= kElements * tiles * channels;
    by_group = outweighs && omp_get_max_threads() <= panels() * groups();
    const bool few = channels <= kFewChannels && !outweighs;
    parts = few ? 2 : 1;
    const int64_t fit = (few ? kFewChannelsStrip : kStrip) / (kElements * channels);
    strips = outweighs ? 1 : ceil_div(ceil_div(tiles, parts), std::max(kLeastTiles, fit));
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
  int64_t sums_floats() const { return by_group ? 0 : kKernels * dw_stride; }
  int64_t own_floats() const { return by_group ? kKernels * kOwnStride : 0; }

  // Adds a strip of a part to its transformed gradient; the first one overwrites it.
  void strip(int64_t part, int64_t number, float* memory, float* sums, float* own,
             const Team& team) const {
    const TileStrip tiles = strip_of(grid.tiles(), part * strips + number, parts * strips);
    const Transformed v{memory, x_stride}, z{memory + kElements * x_stride, dy_stride};
    transform_tiles<Scheme::kInput>(x, grid, Scheme::kStep, padding, tiles, v, team);
    transform_tiles<Scheme::kOutput>(dy, grid, Scheme::kTile, 0, tiles, z, team);
    team.wait();
    const Product product(*this, tiles.tiles(), v, z, number > 0);
    if (by_group) return multiply_by_group(product, own, team);
    team.share(panels() * kKernels, [&](int64_t item) {
      const int64_t panel = item / kKernels, kernel = item % kKernels;
      product(kernel, panel, 0, inputs(), sums + kernel * dw_stride + panel * inputs() * kPanel);
    });
  }

  // The sums over the tiles, and over the elements of a kernel, of `count` inputs from `first` on,
  // for one panel.
  struct Product {
    const Run& run;
    int64_t tiles, plane;
    Transformed v, z;
    bool accumulate;
    std::vector<int64_t> rows, x_runs, dy_runs;

    Product(const Run& r, int64_t count, const Transformed& from, const Transformed& gradient,
            bool add)
        : run(r), tiles(count), plane(count * kLanes), v(from), z(gradient), accumulate(add) {
      for (int64_t c = 0; c < run.inputs(); ++c) rows.push_back(c / kLanes * plane + c % kLanes);
      for (const int64_t element : run.order.element) {
        x_runs.push_back(element * v.stride);
        dy_runs.push_back(element * z.stride);
      }
    }
    void operator()(int64_t kernel, int64_t panel, int64_t first, int64_t count,
                    float* sums) const {
      const int64_t first_vector = panel * kTileVectors, element = run.order.begin[kernel];
      const int64_t parts = ceil_div(tiles, kRunTiles);
      for (int64_t i = 0; i < parts; ++i) {
        const int64_t begin = part_begin(tiles, i, parts);
        sum_weights({.x = v.data + begin * kLanes,
                     .dy = z.data + first_vector * plane + begin * kLanes,
                     .dy_plane = plane,
                     .x_run = x_runs.data() + element,
                     .dy_run = dy_runs.data() + element,
                     .runs = run.order.begin[kernel + 1] - element,
                     .length = part_begin(tiles, i + 1, parts) - begin,
                     .x_step = kLanes,
                     .accumulate = accumulate || i > 0},
                    vectors_of(run.outputs(), panel), rows.data() + first, sums, count);
      }
    }
  };

  void multiply_by_group(const Product& product, float* own, const Team& team) const {
    team.share(panels() * groups(), [&](int64_t item) {
      const int64_t panel = item / groups(), first = item % groups() * kGroup;
      const int64_t count = std::min(kGroup, inputs() - first);
      for (int64_t k = 0; k < kKernels; ++k) {
        product(k, panel, first, count, own + k * kOwnStride);
      }
      restore(own, kOwnStride, panel, first, count);
    });
  }

  void restore_all(float* sums, const Team& team) const {
    team.share(panels() * x.blocks, [&](int64_t item) {
      const int64_t panel = item / x.blocks, first = item % x.blocks * kLanes;
      float* to = sums + (panel * inputs() + first) * kPanel;
      for (int64_t k = kKernels; k < parts * kKernels; ++k) {
        const float* from = to + k * dw_stride;
        float* sum = to + k % kKernels * dw_stride;
        for (int64_t i = 0; i < kLanes * kPanel; ++i) sum[i] += from[i];
      }
      restore(to, dw_stride, panel, first, kLanes);
    });
  }

  // dw [O,C,3,3] of a panel and `count` inputs from `first` on; kernel k of input c of their
  // transformed gradient lies at sums + k * step + (c - first) * kPanel.
  void restore(const float* sums, int64_t step, int64_t panel, int64_t first, int64_t count) const {
    alignas(64) float block[9 * kLanes * kLanes];
    for (int64_t lane = 0; lane < std::min(kPanel, outputs() - panel * kPanel); lane += kLanes) {
      for (int64_t begin = 0; begin < count; begin += kLanes) {
        for (int64_t c = 0; c < kLanes; ++c) {
          transform<gather<Scheme::kWeight>, Scheme::kKernels, 3>(
              Square<const float>{sums + (begin + c) * kPanel + lane, Scheme::kKernels * step,
                                  step},
              Square<float>{block + c * kLanes, 3 * kLanes * kLanes, kLanes * kLanes});
        }
        const int64_t output = panel * kPanel + lane, input = first + begin;
        unpack_block(block, kLanes, 9, dw + (output * inputs() + input) * 9, inputs() * 9);
      }
    }
  }
};

template <class Scheme>
void backward_weights(const Run<Scheme>& run) {
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

}  // namespace

void winograd_conv_backward_weights(int64_t tile, const Tensor& x, const Tensor& dy,
                                    const Conv2dOptions& options, Tensor& dw) {
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    backward_weights(Run<Scheme>(x, dy, options.padding, dw));
  });
}

}  // namespace engine
