// The direct gradient of the weights. Rows of it (an input channel and a tap) are the rows of a
// tile; the reduction runs over pixels.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/direct.h"
#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/window.h"

namespace engine {
namespace {

// Pixels of a block and channels times taps of a task, so that both stay in the second-level
// cache; measured with AVX2 on two cores.
constexpr int64_t kPixels = 224, kBlockTaps = 36;

struct Problem {
  ChannelImage x, dy;  // of one image; the data is that of the first
  int64_t images, kernel_height, kernel_width, stride, padding;

  Problem(const Tensor& image, const Tensor& gradient, const Shape& w, const Conv2dOptions& o)
      : x(image_of(image)),
        dy(image_of(gradient)),
        images(image.shape()[0]),
        kernel_height(w[2]),
        kernel_width(w[3]),
        stride(o.stride),
        padding(o.padding) {}

  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t x_plane() const { return x.height * x.width * kLanes; }
  int64_t dy_plane() const { return dy.height * dy.width * kLanes; }
  int64_t panels() const { return panels_of(dy.blocks * kLanes); }

  PixelWindow window(const PixelBlock& block) const {
    return {block.first_row * stride - padding, -padding, (block.rows - 1) * stride + kernel_height,
            (dy.width - 1) * stride + kernel_width};
  }
};

// The split of the gradient among threads: parts of the input blocks times parts of the panels of
// outputs. Every task sums over all pixels in the same order, so nothing is reduced between
// threads. A task copies its inputs, so panels are split only where there are too few inputs.
struct Tasks {
  int64_t inputs, panels;

  explicit Tasks(const Problem& p) {
    const int64_t threads = omp_get_max_threads();
    const int64_t most = std::max<int64_t>(
        std::min(ceil_div(p.x.blocks, threads), ceil_div(kBlockTaps, p.taps())), 1);
    inputs = std::min(ceil_div(ceil_div(p.x.blocks, most), threads) * threads, p.x.blocks);
    panels = std::min(ceil_div(threads, inputs), p.panels());
  }
};

// Runs one task; one runner a thread.
class Runner {
 public:
  Runner(const Problem& problem, float* dw, float* copy) : p_(problem), dw_(dw), copy_(copy) {}

  // Input blocks first .. +count, panels panel .. end-1, all pixels.
  void run(const std::vector<PixelBlock>& blocks, int64_t first, int64_t count, int64_t panel,
           int64_t end) {
    for (const PixelBlock& block : blocks) {
      read(block, first, count);
      for (int64_t i = panel; i < end; ++i) sum(block, first, i, &block != &blocks.front());
    }
  }

 private:
  // Copies the input and lists where rows of dw and runs of pixels begin.
  void read(const PixelBlock& block, int64_t first, int64_t count) {
    const PixelWindow window = p_.window(block);
    const int64_t row = window.width * kLanes, image = window.height * row;
    const int64_t plane = image * block.images;
    x_offset_.clear(), x_run_.clear(), dy_run_.clear();
    for (int64_t i = 0; i < block.images; ++i) {
      const float* x = p_.x.data + (block.first_image + i) * p_.x.blocks * p_.x_plane();
      copy_window({x + first * p_.x_plane(), count, p_.x.height, p_.x.width}, window,
                  copy_ + i * image, plane);
      for (int64_t r = 0; r < block.rows; ++r) {
        x_run_.push_back(i * image + r * p_.stride * row);
        dy_run_.push_back(i * p_.dy.blocks * p_.dy_plane() +
                          (block.first_row + r) * p_.dy.width * kLanes);
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
    const float* dy = p_.dy.data + block.first_image * p_.dy.blocks * p_.dy_plane();
    const int64_t vectors = p_.dy.blocks - panel * kTileVectors;
    sum_weights({.x = copy_,
                 .dy = dy + panel * kTileVectors * p_.dy_plane(),
                 .dy_plane = p_.dy_plane(),
                 .x_run = x_run_.data(),
                 .dy_run = dy_run_.data(),
                 .runs = static_cast<int64_t>(x_run_.size()),
                 .length = p_.dy.width,
                 .x_step = p_.stride * kLanes,
                 .accumulate = accumulate},
                std::min<int64_t>(vectors, kTileVectors), x_offset_.data(),
                dw_ + (panel * p_.x.blocks + first) * p_.taps() * kLanes * kPanel,
                static_cast<int64_t>(x_offset_.size()));
  }

  const Problem& p_;
  float* dw_;
  float* copy_;
  std::vector<int64_t> x_offset_, x_run_, dy_run_;
};

}  // namespace

void direct_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                  Tensor& dw) {
  if (is_1x1(dw.shape(), options)) {
    return direct_1x1_backward_weights(x, dy, options.stride, dw);
  }
  const Problem p(x, dy, dw.shape(), options);
  const Tasks tasks(p);
  const std::vector<PixelBlock> blocks = blocks_of(p.images, p.dy.height, p.dy.width, kPixels, 1);
  int64_t floats = 0;
  for (const PixelBlock& block : blocks) {
    const PixelWindow window = p.window(block);
    floats = std::max(floats, block.images * window.height * window.width * kLanes);
  }
  floats = ceil_div(floats * ceil_div(p.x.blocks, tasks.inputs), 16) * 16;
  Tensor copies({omp_get_max_threads(), floats});
  Tensor panels({panel_floats(forward_view(dw), p.taps())});
  float *copy = copies.data<float>(), *sums = panels.data<float>();
#pragma omp parallel
  {
    Runner runner(p, sums, copy + omp_get_thread_num() * floats);
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks.inputs * tasks.panels; ++task) {
      const int64_t input = task / tasks.panels, panel = task % tasks.panels;
      const int64_t first = part_begin(p.x.blocks, input, tasks.inputs);
      runner.run(blocks, first, part_begin(p.x.blocks, input + 1, tasks.inputs) - first,
                 part_begin(p.panels(), panel, tasks.panels),
                 part_begin(p.panels(), panel + 1, tasks.panels));
    }
  }
  unpack_panels(sums, dw);
}

}  // namespace engine
