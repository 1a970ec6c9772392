// The direct gradient of the weights. The rows of a register tile are rows of the gradient (an
// input channel and a tap); the sums run over pixels.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/window.h"
#include "engine/cpu/conv/workers.h"

namespace engine {
namespace {

// Pixels of a block and channel blocks times taps of a task, so that both stay in the L2 cache;
// measured with AVX2 on two cores.
constexpr int64_t kPixels = 224, kBlockTaps = 36;

struct Problem {
  ChannelImage x, dy;  // the first of the images
  int64_t images, kernel_height, kernel_width, stride, padding;
  float* panels;  // of the gradient

  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t panel_count() const { return panels_of(dy.blocks * kLanes); }

  // The pixels of x that meet a block of dy.
  PixelWindow window(const PixelBlock& block) const {
    return {block.first_row * stride - padding, -padding, (block.rows - 1) * stride + kernel_height,
            (dy.width - 1) * stride + kernel_width};
  }
};

// A task forms a part of the gradient: some of the input blocks times some of the panels. It sums
// over all pixels, block by block, in the same order as every other, so nothing is added up between
// threads. A task copies its inputs, so panels are split only if there are too few inputs.
struct Plan {
  int64_t input_parts, panel_parts, tasks, worker_floats = 0;
  std::vector<PixelBlock> blocks;

  explicit Plan(const Problem& p) {
    const int64_t threads = omp_get_max_threads();
    const int64_t most = std::max<int64_t>(
        std::min(ceil_div(p.x.blocks, threads), ceil_div(kBlockTaps, p.taps())), 1);
    input_parts = std::min(ceil_div(ceil_div(p.x.blocks, most), threads) * threads, p.x.blocks);
    panel_parts = std::min(ceil_div(threads, input_parts), p.panel_count());
    tasks = input_parts * panel_parts;
    blocks = blocks_of(p.images, p.dy.height, p.dy.width, kPixels, 1);
    for (const PixelBlock& block : blocks) {
      const PixelWindow w = p.window(block);
      const int64_t floats = block.images * w.height * w.width * kLanes;
      worker_floats = std::max(worker_floats, floats * ceil_div(p.x.blocks, input_parts));
    }
  }
};

class Worker {
 public:
  Worker(const Problem& problem, const Plan& plan, float* copy)
      : p_(problem), plan_(plan), copy_(copy) {}

  void run(int64_t task) {
    const int64_t input = task / plan_.panel_parts, panel = task % plan_.panel_parts;
    const int64_t first = part_begin(p_.x.blocks, input, plan_.input_parts);
    const int64_t count = part_begin(p_.x.blocks, input + 1, plan_.input_parts) - first;
    const int64_t begin = part_begin(p_.panel_count(), panel, plan_.panel_parts);
    const int64_t end = part_begin(p_.panel_count(), panel + 1, plan_.panel_parts);
    for (const PixelBlock& block : plan_.blocks) {
      read(block, first, count);
      for (int64_t i = begin; i < end; ++i) sum(block, first, i, &block != &plan_.blocks.front());
    }
  }

 private:
  // Copies the input of a block, and lists where the rows of the gradient and the rows of pixels
  // begin.
  void read(const PixelBlock& block, int64_t first, int64_t count) {
    const PixelWindow window = p_.window(block);
    const int64_t row = window.width * kLanes, image = window.height * row;
    const int64_t plane = image * block.images;
    x_offset_.clear(), x_run_.clear(), dy_run_.clear();
    for (int64_t i = 0; i < block.images; ++i) {
      copy_window(p_.x.part(block.first_image + i, first, count), window, copy_ + i * image, plane);
      for (int64_t r = 0; r < block.rows; ++r) {
        x_run_.push_back(i * image + r * p_.stride * row);
        dy_run_.push_back(i * p_.dy.floats() + (block.first_row + r) * p_.dy.width * kLanes);
      }
    }
    for (int64_t b = 0; b < count; ++b) {
      for (int64_t u = 0; u < p_.kernel_height; ++u) {
        for (int64_t v = 0; v < p_.kernel_width; ++v) {
          for (int64_t c = 0; c < kLanes; ++c) {
            x_offset_.push_back(b * plane + u * row + v * kLanes + c);
          }
        }
      }
    }
  }

  void sum(const PixelBlock& block, int64_t first, int64_t panel, bool accumulate) {
    sum_weights({.x = copy_,
                 .dy = p_.dy.part(block.first_image, panel * kRegisterVectors, 1).data,
                 .dy_plane = p_.dy.plane_floats(),
                 .x_run = x_run_.data(),
                 .dy_run = dy_run_.data(),
                 .runs = static_cast<int64_t>(x_run_.size()),
                 .length = p_.dy.width,
                 .x_step = p_.stride * kLanes,
                 .accumulate = accumulate},
                vectors_of(p_.dy.blocks * kLanes, panel), x_offset_.data(),
                p_.panels + (panel * p_.x.blocks + first) * p_.taps() * kLanes * kPanel,
                static_cast<int64_t>(x_offset_.size()));
  }

  const Problem& p_;
  const Plan& plan_;
  float* copy_;
  std::vector<int64_t> x_offset_, x_run_, dy_run_;
};

}  // namespace

void direct_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                  Tensor& dw) {
  const Shape& w = dw.shape();
  if (is_1x1(w, options)) return direct_1x1_backward_weights(x, dy, options.stride, dw);
  Tensor panels({panel_floats(forward_view(dw), w[2] * w[3])});
  const Problem p{.x = image_of(x),
                  .dy = image_of(dy),
                  .images = x.shape()[0],
                  .kernel_height = w[2],
                  .kernel_width = w[3],
                  .stride = options.stride,
                  .padding = options.padding,
                  .panels = panels.data<float>()};
  run_workers<Worker>(p, Plan(p));
  unpack_panels(p.panels, dw);
}

}  // namespace engine
