// The gradient of the weights by Winograd's formula: dw = G' (sum over tiles of (B' x B) * (A dy
// A')) G, where for every element the sum over tiles is a matrix product of inputs x tiles and
// tiles x outputs.
#include "engine/cpu/panels.h"
#include "engine/cpu/winograd.h"
#include "engine/cpu/winograd_tiles.h"

namespace engine {
namespace {

// Floats of transformed tiles in one strip, which all threads share in the third-level cache (less
// where few channels make many tiles of it), and tiles of one run, which then stay in the
// first-level cache. Measured with AVX2 on two cores.
constexpr int64_t kStrip = 2 << 20, kFewChannels = 256, kRunTiles = 256, kLeastTiles = 12;

template <int64_t M>
struct Run {
  static constexpr int64_t kElements = (M + 2) * (M + 2);

  Image x, dy;  // of one image; the data is that of the first
  int64_t padding;
  TileGrid<M> grid;
  int64_t strips, x_stride, dy_stride, dw_stride;
  std::vector<int64_t> x_offset;

  Run(const Tensor& image, const Tensor& gradient, int64_t pad)
      : x{image.data<float>(), image.shape()[1] / kLanes, image.shape()[2], image.shape()[3]},
        dy{gradient.data<float>(), gradient.shape()[1] / kLanes, gradient.shape()[2],
           gradient.shape()[3]},
        padding(pad),
        grid{gradient.shape()[0], dy.height, dy.width} {
    const int64_t channels = (x.blocks + dy.blocks) * kLanes;
    const int64_t floats = channels <= kFewChannels ? kStrip / 2 : kStrip;
    strips = ceil_div(grid.tiles(), std::max(kLeastTiles, floats / (kElements * channels)));
    const int64_t most = ceil_div(grid.tiles(), strips);
    x_stride = element_stride(x.blocks * kLanes * most);
    dy_stride = element_stride(dy.blocks * kLanes * most);
    dw_stride = element_stride(panels() * kPanel * inputs());
  }

  int64_t inputs() const { return x.blocks * kLanes; }
  int64_t panels() const { return panels_of(dy.blocks * kLanes); }

  // Adds a strip to the transformed gradient; the first one overwrites it.
  void strip(int64_t number, float* memory, float* sums, const Team& team) const {
    const Strip tiles = strip_of(grid.tiles(), number, strips);
    const Transformed v{memory, x_stride}, z{memory + kElements * x_stride, dy_stride};
    transform_tiles<M, M + 2, M + 2>(Winograd<M>::input, x, grid, padding, tiles, v, team);
    transform_tiles<M, M, M + 2>(Winograd<M>::output_gradient, dy, grid, 0, tiles, z, team);
    team.wait();
    multiply(tiles.tiles(), v, z, number > 0, sums, team);
  }

  void multiply(int64_t tiles, const Transformed& v, const Transformed& z, bool accumulate,
                float* sums, const Team& team) const {
    const int64_t plane = tiles * kLanes, here = 0, runs = ceil_div(tiles, kRunTiles);
    std::vector<int64_t> rows(static_cast<size_t>(inputs()));
    for (int64_t c = 0; c < inputs(); ++c) {
      rows[static_cast<size_t>(c)] = c / kLanes * plane + c % kLanes;
    }
    team.share(kElements * panels(), [&](int64_t item) {
      const int64_t element = item / panels(), panel = item % panels();
      const int64_t first_vector = panel * kTileVectors;
      for (int64_t run = 0; run < runs; ++run) {
        const int64_t begin = part_begin(tiles, run, runs);
        sum_weights({.x = v.data + element * v.stride + begin * kLanes,
                     .dy = z.data + element * z.stride + first_vector * plane + begin * kLanes,
                     .dy_plane = plane,
                     .x_run = &here,
                     .dy_run = &here,
                     .runs = 1,
                     .length = part_begin(tiles, run + 1, runs) - begin,
                     .x_step = kLanes,
                     .accumulate = accumulate || run > 0},
                    std::min<int64_t>(dy.blocks - first_vector, kTileVectors), rows.data(),
                    sums + element * dw_stride + panel * inputs() * kPanel, inputs());
      }
    });
  }

  // dw [O,C,3,3] from the transformed gradient.
  void restore(const float* sums, float* dw, const Team& team) const {
    const int64_t outputs = dy.blocks * kLanes;
    team.share(panels() * x.blocks, [&](int64_t item) {
      const int64_t first = item / x.blocks * kPanel, block = item % x.blocks;
      for (int64_t lane = first; lane < std::min(first + kPanel, outputs); lane += kLanes) {
        for (int64_t c = block * kLanes; c < (block + 1) * kLanes; ++c) {
          alignas(64) float kernel[9 * kLanes];
          const float* from = sums + (item / x.blocks * inputs() + c) * kPanel + lane - first;
          transform<M + 2, 3>(Winograd<M>::weight_gradient,
                              Square<const float>{from, (M + 2) * dw_stride, dw_stride},
                              Square<float>{kernel, 3 * kLanes, kLanes});
          for (int64_t o = 0; o < kLanes; ++o) {
            float* to = dw + ((lane + o) * inputs() + c) * 9;
            for (int64_t tap = 0; tap < 9; ++tap) to[tap] = kernel[tap * kLanes + o];
          }
        }
      }
    });
  }
};

}  // namespace

template <int64_t M>
void winograd_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                    Tensor& dw) {
  const Run<M> run(x, dy, options.padding);
  Tensor memory({run.kElements, run.x_stride + run.dy_stride});
  Tensor transformed({run.kElements, run.dw_stride});
  float *tiles = memory.data<float>(), *sums = transformed.data<float>(), *out = dw.data<float>();
#pragma omp parallel
  {
    const Team all = Team::all();
    for (int64_t i = 0; i < run.strips; ++i) {
      run.strip(i, tiles, sums, all);
      all.wait();
    }
    run.restore(sums, out, all);
  }
}

template void winograd_conv_backward_weights<2>(const Tensor&, const Tensor&, const Conv2dOptions&,
                                                Tensor&);
template void winograd_conv_backward_weights<4>(const Tensor&, const Tensor&, const Conv2dOptions&,
                                                Tensor&);

}  // namespace engine
