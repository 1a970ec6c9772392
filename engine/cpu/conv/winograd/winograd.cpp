#include "engine/cpu/conv/winograd/winograd.h"

#include <algorithm>
#include <vector>

#include "engine/cpu/conv/weight_cache.h"
#include "engine/cpu/conv/winograd/kernels.h"
#include "engine/cpu/conv/winograd/scheme.h"
#include "engine/cpu/conv/winograd/tiles.h"
#include "engine/cpu/conv/workers.h"

namespace engine {
namespace {

// Measured on two cores. kStrip: floats of the transformed tiles of a strip, which then fit the L2
// cache of a thread. kDepth: inputs of one pass, whose weights then stay in the L1 cache.
constexpr int64_t kStrip = 256 << 10, kLeastTiles = 12, kDepth = 128;
// If there is a single strip, this many teams of threads each transform all of its tiles.
constexpr int64_t kTeams = 2;

// A convolution, or the gradient of the data as one.
template <class Scheme>
struct Problem {
  Kernels<Scheme> kernels;
  ChannelImage in;  // the first of the images
  int64_t padding;
  TileGrid<Scheme::kTile> grid;
  TileOutput out;
  const float* weights = nullptr;  // the transformed kernels, unless the workers transform them

  Problem(const Kernels<Scheme>& k, const Tensor& x, int64_t pad, bool adds, Tensor& y)
      : kernels(k),
        in(image_of(x)),
        padding(pad),
        grid{y.shape()[0], y.shape()[2], y.shape()[3]},
        out{y.data<float>(), y.shape()[1] / kLanes, adds} {}
};

// A task is a strip, done by one thread: writing what a distant core has read costs several times
// as much as a write to the thread's own cache. If the transformed kernels are larger than the
// transformed tiles, there is a single strip for all threads instead, and each of them transforms
// the kernels of its panels when it needs them. Reading them from memory would cost more than the
// rest.
template <class Scheme>
struct Plan {
  // In both dimensions.
  static constexpr int64_t kElements = Scheme::kElements * Scheme::kElements;
  static constexpr int64_t kKernelElements = Kernels<Scheme>::kElements;
  static constexpr int64_t kOwnStride = kDepth * kPanel + 16;  // see element_stride

  bool by_panel;  // a single strip
  // Strips consist of whole register tiles: a part of one takes nearly as long.
  int64_t tiles, register_tiles, tasks;
  int64_t in_stride, out_stride, tile_floats, worker_floats;
  ElementOrder<Scheme> order;

  explicit Plan(const Problem<Scheme>& p)
      : tiles(p.grid.tiles()), register_tiles(ceil_div(tiles, kRegisterRows)) {
    const int64_t inputs = p.kernels.view.inputs, outputs = p.kernels.view.outputs;
    const int64_t threads = omp_get_max_threads();
    by_panel = kElements * tiles * (inputs + outputs) <= kKernelElements * inputs * outputs &&
               threads <= p.kernels.panels();
    const int64_t fit = kStrip / (kElements * (inputs + kPanel));
    const int64_t size = std::max(kLeastTiles, fit / kRegisterRows * kRegisterRows);
    const int64_t wanted = ceil_div(ceil_div(tiles, size), threads) * threads;
    tasks = by_panel ? 1 : std::min(wanted, register_tiles);
    const int64_t most = ceil_div(register_tiles, tasks) * kRegisterRows;
    in_stride = element_stride(inputs * most);
    out_stride = element_stride(kPanel * most);
    tile_floats = kElements * in_stride;
    worker_floats =
        kElements * out_stride + (by_panel ? kKernelElements * kOwnStride : tile_floats);
  }

  TileStrip strip(int64_t task) const {
    return {part_begin(register_tiles, task, tasks) * kRegisterRows,
            std::min(tiles, part_begin(register_tiles, task + 1, tasks) * kRegisterRows)};
  }
};

// The products of one strip: m[element] = v[element] * kernel element, for every element and one
// panel.
template <class Scheme>
class StripProduct {
 public:
  StripProduct(const Problem<Scheme>& problem, const Plan<Scheme>& plan, float* m)
      : p_(problem), plan_(plan), m_{m, plan.out_stride} {}

  // Transforms the tiles of a strip to memory, and lists where they are in every element.
  void start(const TileStrip& strip, float* memory, const Team& team) {
    strip_ = strip;
    v_ = {memory, plan_.in_stride};
    transform_tiles<Scheme::kInput>(p_.in, p_.grid, Scheme::kStep, p_.padding, strip, v_, team);
    from_.clear(), to_.clear();
    for (const int64_t element : plan_.order.element) {
      for (int64_t i = 0; i < strip.tiles(); ++i) {
        from_.push_back(element * v_.stride + i * kLanes);
        to_.push_back(element * m_.stride + i * kLanes);
      }
    }
  }

  // Adds the products with kernel element k of `count` input blocks from `first` on. The first pass
  // overwrites m.
  void multiply(int64_t k, int64_t panel, int64_t first, int64_t count,
                const float* weights) const {
    const int64_t here = 0, tiles = strip_.tiles(), plane = tiles * kLanes;
    const int64_t begin = plan_.order.begin[k], end = plan_.order.begin[k + 1];
    sum_pixels({.in = v_.data + first * plane,
                .in_plane = plane,
                .tap_offset = &here,
                .taps = 1,
                .blocks = count,
                .weights = weights,
                .out = m_.data,
                .out_plane = plane,
                .accumulate = first > 0},
               vectors(panel), from_.data() + begin * tiles, to_.data() + begin * tiles,
               (end - begin) * tiles);
  }

  // Writes the output pixels of a panel.
  void restore(int64_t panel) const {
    restore_tiles<Scheme::kOutput>(m_, p_.grid, strip_, panel * kRegisterVectors, vectors(panel),
                                   p_.out);
  }

 private:
  int64_t vectors(int64_t panel) const { return vectors_of(p_.out.blocks * kLanes, panel); }

  const Problem<Scheme>& p_;
  const Plan<Scheme>& plan_;
  Transformed v_ = {}, m_;
  TileStrip strip_ = {};
  std::vector<int64_t> from_, to_;
};

template <class Scheme>
class Worker {
 public:
  Worker(const Problem<Scheme>& problem, const Plan<Scheme>& plan, float* memory)
      : p_(problem),
        plan_(plan),
        product_(problem, plan, memory),
        memory_(memory + Plan<Scheme>::kElements * plan.out_stride) {}

  // One of several strips.
  void run(int64_t task) {
    product_.start(plan_.strip(task), memory_, Team{});
    for (int64_t panel = 0; panel < p_.kernels.panels(); ++panel) {
      const int64_t stride = p_.kernels.stride();
      const float* weights = p_.weights + panel * kKernelElements * stride;
      for (int64_t k = 0; k < kKernelElements; ++k) {
        for_passes([&](int64_t first, int64_t count) {
          product_.multiply(k, panel, first, count, weights + k * stride + first * kLanes * kPanel);
        });
      }
      product_.restore(panel);
    }
  }

  // This worker's panels of the single strip. The team shares `tiles`.
  void run_panels(float* tiles, const Team& team) {
    product_.start(plan_.strip(0), tiles, team);
    team.wait();
    Team::all().share(p_.kernels.panels(), [&](int64_t panel) {
      for_passes([&](int64_t first, int64_t count) {
        for (int64_t b = 0; b < count; ++b) {
          p_.kernels.transform_block(panel, first + b, memory_ + b * kLanes * kPanel, kOwnStride);
        }
        for (int64_t k = 0; k < kKernelElements; ++k) {
          product_.multiply(k, panel, first, count, memory_ + k * kOwnStride);
        }
      });
      product_.restore(panel);
    });
  }

 private:
  static constexpr int64_t kKernelElements = Plan<Scheme>::kKernelElements;
  static constexpr int64_t kOwnStride = Plan<Scheme>::kOwnStride;

  // Calls f(first, count) for the input blocks of every pass.
  template <class F>
  void for_passes(F&& f) const {
    for_parts(p_.in.blocks, ceil_div(p_.in.blocks, kDepth / kLanes), f);
  }

  const Problem<Scheme>& p_;
  const Plan<Scheme>& plan_;
  StripProduct<Scheme> product_;
  float* memory_;  // for the tiles of a strip, or for the kernels of one pass
};

template <class Scheme>
void run_by_panel(const Problem<Scheme>& p, const Plan<Scheme>& plan) {
  Tensor tiles({kTeams, plan.tile_floats}), own({omp_get_max_threads(), plan.worker_floats});
  float *shared = tiles.data<float>(), *memory = own.data<float>();
#pragma omp parallel
  {
    const Team team = Team::of(kTeams);
    Worker<Scheme> worker(p, plan, memory + omp_get_thread_num() * plan.worker_floats);
    worker.run_panels(shared + team.number * plan.tile_floats, team);
  }
}

template <class Scheme>
void convolve(CpuContext& ctx, const Tensor& w, Problem<Scheme> p) {
  const Plan<Scheme> plan(p);
  if (plan.by_panel) return run_by_panel(p, plan);
  const Kernels<Scheme>& kernels = p.kernels;
  const Tensor weights = packed_weight(
      ctx, w, {kWinogradForm, Scheme::kTile, Scheme::kKernelElements, kernels.turned},
      kernels.floats(), [&](Tensor& packed) { kernels.transform_all(packed.data<float>()); });
  p.weights = weights.data<float>();
  run_workers<Worker<Scheme>>(p, plan);
}

}  // namespace

void winograd_conv_forward(CpuContext& ctx, int64_t tile, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y) {
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    const Kernels<Scheme> kernels{forward_view(w), /*turned=*/false};
    convolve(ctx, w, Problem<Scheme>(kernels, x, options.padding, /*adds=*/false, y));
  });
}

void winograd_conv_backward_data(CpuContext& ctx, int64_t tile, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, bool adds, Tensor& dx) {
  const int64_t padding = options.stride == 1 ? 2 - options.padding : 0;
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    using Gradient = typename Scheme::Gradient;
    const Kernels<Gradient> kernels{transposed_view(w), /*turned=*/true};
    convolve(ctx, w, Problem<Gradient>(kernels, dy, padding, adds, dx));
  });
}

}  // namespace engine
