// The gradient of the weights by Winograd's formula: dw = G' (sum over tiles of (B' x B) * (A dy
// A')) G. For every element, the sum over tiles is a matrix product of inputs x tiles and tiles x
// outputs.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "engine/cpu/conv/winograd/kernels.h"
#include "engine/cpu/conv/winograd/scheme.h"
#include "engine/cpu/conv/winograd/tiles.h"
#include "engine/cpu/conv/winograd/winograd.h"

namespace engine {
namespace {

// Measured on two cores. kStrip: floats of the transformed tiles of a strip. kRunTiles: tiles of
// one run, which then stay in the L1 cache. kSpan: inputs whose gradient a thread forms at once.
constexpr int64_t kStrip = 2 << 20, kRunTiles = 256, kLeastTiles = 12, kSpan = 128;
// With at most this many channels (inputs plus outputs) the tiles are split into two parts, each
// with its own sum. Two threads then share nothing: writing what a distant core has read costs
// several times as much as a write to the thread's own cache.
constexpr int64_t kFewChannels = 256, kFewChannelsStrip = kStrip / 4;

template <class Scheme>
struct Problem {
  ChannelImage x, dy;  // the first of the images
  int64_t padding;
  TileGrid<Scheme::kTile> grid;
  float* dw;

  Problem(const Tensor& image, const Tensor& gradient, int64_t pad, Tensor& weights)
      : x(image_of(image)),
        dy(image_of(gradient)),
        padding(pad),
        grid{gradient.shape()[0], dy.height, dy.width},
        dw(weights.data<float>()) {}

  int64_t inputs() const { return x.blocks * kLanes; }
  int64_t outputs() const { return dy.blocks * kLanes; }
  int64_t panels() const { return panels_of(outputs()); }
  int64_t spans() const { return ceil_div(inputs(), kSpan); }
};

// Tiles are taken in one or two parts, each in several strips over which its transformed gradient
// is summed up in memory. If that gradient is larger than the transformed tiles, there is a single
// strip instead, and a thread transforms the gradient of a panel and span of inputs back as soon as
// it is complete.
template <class Scheme>
struct Plan {
  // In both dimensions.
  static constexpr int64_t kElements = Scheme::kElements * Scheme::kElements;
  static constexpr int64_t kKernelElements = Kernels<Scheme>::kElements;
  static constexpr int64_t kOwnStride = kSpan * kPanel + 16;  // see element_stride

  bool by_span;
  int64_t parts, strips;  // strips of a part
  int64_t x_stride, dy_stride, dw_stride;
  // Floats of a strip's transformed tiles, of a part's transformed gradient, and of the gradient
  // that each thread transforms back.
  int64_t strip_floats, part_floats, worker_floats;
  ElementOrder<Scheme> order;

  explicit Plan(const Problem<Scheme>& p) {
    const int64_t channels = p.inputs() + p.outputs(), tiles = p.grid.tiles();
    const bool outweighs =
        kKernelElements * p.inputs() * p.outputs() >= kElements * tiles * channels;
    by_span = outweighs && omp_get_max_threads() <= p.panels() * p.spans();
    const bool few = channels <= kFewChannels && !outweighs;
    parts = few ? 2 : 1;
    const int64_t fit = (few ? kFewChannelsStrip : kStrip) / (kElements * channels);
    strips = outweighs ? 1 : ceil_div(ceil_div(tiles, parts), std::max(kLeastTiles, fit));
    const int64_t most = ceil_div(tiles, parts * strips);
    x_stride = element_stride(p.inputs() * most);
    dy_stride = element_stride(p.outputs() * most);
    dw_stride = element_stride(p.panels() * kPanel * p.inputs());
    strip_floats = kElements * (x_stride + dy_stride);
    part_floats = by_span ? 0 : kKernelElements * dw_stride;
    worker_floats = by_span ? kKernelElements * kOwnStride : 0;
  }
};

// The memory of a worker. All share the first two, which have room for every part.
struct Memory {
  float *tiles, *sums, *own;
};

// The products of one strip: for a kernel element and a panel, the sums over the tiles and over the
// elements that meet it.
template <class Scheme>
class StripProduct {
 public:
  StripProduct(const Problem<Scheme>& problem, const Plan<Scheme>& plan)
      : p_(problem), plan_(plan) {
    for (const int64_t element : plan.order.element) {
      x_run_.push_back(element * plan.x_stride);
      dy_run_.push_back(element * plan.dy_stride);
    }
  }

  // Transforms the tiles of a strip.
  void start(const TileStrip& strip, float* memory, const Team& team) {
    x_ = {memory, plan_.x_stride};
    dy_ = {memory + Plan<Scheme>::kElements * plan_.x_stride, plan_.dy_stride};
    transform_tiles<Scheme::kInput>(p_.x, p_.grid, Scheme::kStep, p_.padding, strip, x_, team);
    transform_tiles<Scheme::kOutput>(p_.dy, p_.grid, Scheme::kTile, 0, strip, dy_, team);
    tiles_ = strip.tiles();
    row_.clear();
    for (int64_t c = 0; c < p_.inputs(); ++c) {
      row_.push_back((c / kLanes * tiles_) * kLanes + c % kLanes);
    }
    team.wait();
  }

  // sums [count, kPanel] for `count` inputs from `first` on.
  void multiply(int64_t k, int64_t panel, int64_t first, int64_t count, bool accumulate,
                float* sums) const {
    const int64_t plane = tiles_ * kLanes, element = plan_.order.begin[k];
    for_parts(tiles_, ceil_div(tiles_, kRunTiles), [&](int64_t begin, int64_t length) {
      sum_weights({.x = x_.data + begin * kLanes,
                   .dy = dy_.data + panel * kRegisterVectors * plane + begin * kLanes,
                   .dy_plane = plane,
                   .x_run = x_run_.data() + element,
                   .dy_run = dy_run_.data() + element,
                   .runs = plan_.order.begin[k + 1] - element,
                   .length = length,
                   .x_step = kLanes,
                   .accumulate = accumulate || begin > 0},
                  vectors_of(p_.outputs(), panel), row_.data() + first, sums, count);
    });
  }

 private:
  const Problem<Scheme>& p_;
  const Plan<Scheme>& plan_;
  Transformed x_ = {}, dy_ = {};
  int64_t tiles_ = 0;
  std::vector<int64_t> row_, x_run_, dy_run_;
};

template <class Scheme>
class Worker {
 public:
  Worker(const Problem<Scheme>& problem, const Plan<Scheme>& plan, const Memory& memory)
      : p_(problem), plan_(plan), memory_(memory), product_(problem, plan) {}

  // This worker's share of the gradient.
  void run() {
    for (int64_t part = team_.number; part < plan_.parts; part += team_.teams) {
      for (int64_t strip = 0; strip < plan_.strips; ++strip) {
        const int64_t number = part * plan_.strips + strip, count = plan_.parts * plan_.strips;
        product_.start(strip_of(p_.grid.tiles(), number, count),
                       memory_.tiles + part * plan_.strip_floats, team_);
        plan_.by_span ? restore_by_span() : sum(part, /*accumulate=*/strip > 0);
        team_.wait();
      }
    }
    all_.wait();
    if (!plan_.by_span) restore_all();
  }

 private:
  static constexpr int64_t kKernelElements = Plan<Scheme>::kKernelElements;
  static constexpr int64_t kOwnStride = Plan<Scheme>::kOwnStride;

  // Adds a strip to the transformed gradient of its part.
  void sum(int64_t part, bool accumulate) {
    float* sums = memory_.sums + part * plan_.part_floats;
    team_.share(p_.panels() * kKernelElements, [&](int64_t item) {
      const int64_t panel = item / kKernelElements, k = item % kKernelElements;
      product_.multiply(k, panel, 0, p_.inputs(), accumulate,
                        sums + k * plan_.dw_stride + panel * p_.inputs() * kPanel);
    });
  }

  void restore_by_span() {
    team_.share(p_.panels() * p_.spans(), [&](int64_t item) {
      const int64_t panel = item / p_.spans(), first = item % p_.spans() * kSpan;
      const int64_t count = std::min(kSpan, p_.inputs() - first);
      for (int64_t k = 0; k < kKernelElements; ++k) {
        product_.multiply(k, panel, first, count, false, memory_.own + k * kOwnStride);
      }
      restore(memory_.own, kOwnStride, panel, first, count);
    });
  }

  // Adds up the parts, and writes their gradient.
  void restore_all() {
    all_.share(p_.panels() * p_.x.blocks, [&](int64_t item) {
      const int64_t panel = item / p_.x.blocks, first = item % p_.x.blocks * kLanes;
      float* to = memory_.sums + (panel * p_.inputs() + first) * kPanel;
      for (int64_t k = kKernelElements; k < plan_.parts * kKernelElements; ++k) {
        const float* from = to + k * plan_.dw_stride;
        float* sum = to + k % kKernelElements * plan_.dw_stride;
        for (int64_t i = 0; i < kLanes * kPanel; ++i) sum[i] += from[i];
      }
      restore(to, plan_.dw_stride, panel, first, kLanes);
    });
  }

  // Writes dw [O,C,3,3] of a panel and `count` inputs from `first` on. Kernel element k of input c
  // of their transformed gradient is at sums + k * step + (c - first) * kPanel.
  void restore(const float* sums, int64_t step, int64_t panel, int64_t first, int64_t count) const {
    for (int64_t v = 0; v < vectors_of(p_.outputs(), panel); ++v) {
      const int64_t output = panel * kPanel + v * kLanes;
      for (int64_t c = 0; c < count; c += kLanes) {
        restore_kernels<Scheme>(sums + c * kPanel + v * kLanes, step,
                                p_.dw + (output * p_.inputs() + first + c) * 9, p_.inputs() * 9);
      }
    }
  }

  const Problem<Scheme>& p_;
  const Plan<Scheme>& plan_;
  Memory memory_;
  StripProduct<Scheme> product_;
  const Team team_ = Team::of(plan_.parts), all_ = Team::all();
};

template <class Scheme>
void backward_weights(const Problem<Scheme>& p) {
  const Plan<Scheme> plan(p);
  Tensor tiles({plan.parts, plan.strip_floats}), sums({plan.parts, plan.part_floats});
  Tensor owns({omp_get_max_threads(), plan.worker_floats});
  const Memory memory{tiles.data<float>(), sums.data<float>(), owns.data<float>()};
#pragma omp parallel
  {
    float* own = memory.own + omp_get_thread_num() * plan.worker_floats;
    Worker<Scheme>(p, plan, {memory.tiles, memory.sums, own}).run();
  }
}

}  // namespace

void winograd_conv_backward_weights(int64_t tile, const Tensor& x, const Tensor& dy,
                                    const Conv2dOptions& options, Tensor& dw) {
  with_scheme(options.stride, tile, [&]<class Scheme>(Scheme) {
    backward_weights(Problem<Scheme>(x, dy, options.padding, dw));
  });
}

}  // namespace engine
