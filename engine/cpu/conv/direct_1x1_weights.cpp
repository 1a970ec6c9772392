// The gradient of the weights of a 1x1 convolution: inputs x pixels times pixels x outputs.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/window.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// Measured on two cores. Pixels of a block: the inputs of a task and the gradient of a panel of
// outputs there stay in the second-level cache. kTasks: as many tasks as keep many threads busy.
constexpr int64_t kPixels = 448, kInputs = 256, kTasks = 32;

// The split of the work: groups of inputs, panels of outputs, and where these are few, parts of the
// pixels, whose sums are added up in the end. It does not depend on the number of threads.
struct Product {
  const float *x, *dy;
  int64_t images, image_pixels, inputs, outputs;
  float* dw;
  int64_t panels, groups;
  int64_t pieces, together, blocks;  // a block is one of `pieces` of an image, or images together
  int64_t parts;

  Product(const Tensor& image, const Tensor& gradient, Tensor& weights)
      : x(image.data<float>()),
        dy(gradient.data<float>()),
        images(image.shape()[0]),
        image_pixels(image.shape()[2] * image.shape()[3]),
        inputs(image.shape()[1]),
        outputs(gradient.shape()[1]),
        dw(weights.data<float>()),
        panels(panels_of(outputs)),
        groups(ceil_div(inputs, kInputs)),
        pieces(ceil_div(image_pixels, kPixels)),
        together(std::max<int64_t>(kPixels / image_pixels, 1)),
        blocks(ceil_div(images, together) * pieces),
        parts(std::min(ceil_div(kTasks, panels * groups), blocks)) {}

  int64_t first_input(int64_t group) const {
    return part_begin(inputs / kLanes, group, groups) * kLanes;
  }
  int64_t inputs_of(int64_t group) const { return first_input(group + 1) - first_input(group); }
  int64_t floats() const { return ceil_div(inputs / kLanes, groups) * kLanes * kPanel; }

  // sums [inputs of the group, kPanel] over the pixels of a part. A block of pixels is a piece of
  // an image, or several images together.
  void sum(int64_t group, int64_t panel, int64_t part, float* sums) const {
    const int64_t plane = image_pixels * kLanes, vector = panel * kTileVectors;
    const int64_t first = part_begin(blocks, part, parts);
    std::vector<int64_t> rows, x_run, dy_run;
    for (int64_t c = 0; c < inputs_of(group); ++c) {
      rows.push_back(c / kLanes * plane + c % kLanes);
    }
    for (int64_t block = first; block < part_begin(blocks, part + 1, parts); ++block) {
      const int64_t image = block / pieces * together;
      const int64_t begin = part_begin(image_pixels, block % pieces, pieces);
      x_run.clear(), dy_run.clear();
      for (int64_t i = image; i < std::min(image + together, images); ++i) {
        x_run.push_back(i * inputs * image_pixels + begin * kLanes);
        dy_run.push_back(i * outputs * image_pixels + begin * kLanes);
      }
      sum_weights({.x = x + first_input(group) * image_pixels,
                   .dy = dy + vector * plane,
                   .dy_plane = plane,
                   .x_run = x_run.data(),
                   .dy_run = dy_run.data(),
                   .runs = static_cast<int64_t>(x_run.size()),
                   .length = part_begin(image_pixels, block % pieces + 1, pieces) - begin,
                   .x_step = kLanes,
                   .accumulate = block > first,
                   .x_ahead = plane},
                  vectors(panel), rows.data(), sums, static_cast<int64_t>(rows.size()));
    }
  }

  void store(int64_t group, int64_t panel, const float* sums) const {
    for (int64_t v = 0; v < vectors(panel); ++v) {
      float* to = dw + (panel * kPanel + v * kLanes) * inputs + first_input(group);
      for (int64_t c = 0; c < inputs_of(group); c += kLanes) {
        unpack_block(sums + c * kPanel + v * kLanes, kPanel, 1, to + c, inputs);
      }
    }
  }

  int64_t vectors(int64_t panel) const { return vectors_of(outputs, panel); }
};

// Every task forms a piece of the gradient and stores it while it is in the cache.
void without_parts(const Product& p) {
  Tensor memory({omp_get_max_threads(), p.floats()});
  float* floats = memory.data<float>();
  parallel_items(p.groups * p.panels, [&](int64_t task) {
    float* sums = floats + omp_get_thread_num() * p.floats();
    p.sum(task / p.panels, task % p.panels, 0, sums);
    p.store(task / p.panels, task % p.panels, sums);
  });
}

void by_parts(const Product& p) {
  const int64_t count = p.groups * p.panels;
  Tensor memory({count * p.parts, p.floats()});
  float* floats = memory.data<float>();
  parallel_items(count * p.parts, [&](int64_t task) {
    const int64_t group = task % count / p.panels, panel = task % p.panels;
    p.sum(group, panel, task / count, floats + task * p.floats());
  });
  parallel_items(count, [&](int64_t task) {
    const int64_t group = task / p.panels, panel = task % p.panels;
    float* sums = floats + task * p.floats();
    for (int64_t part = 1; part < p.parts; ++part) {
      const float* more = sums + part * count * p.floats();
      for (int64_t i = 0; i < p.inputs_of(group) * kPanel; ++i) sums[i] += more[i];
    }
    p.store(group, panel, sums);
  });
}

}  // namespace

void direct_1x1_backward_weights(const Tensor& x, const Tensor& dy, int64_t stride, Tensor& dw) {
  const Tensor pixels = stride == 1 ? x : gather_pixels(x, stride);
  const Product product(pixels, dy, dw);
  product.parts > 1 ? by_parts(product) : without_parts(product);
}

}  // namespace engine
