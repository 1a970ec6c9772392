// The gradient of the weights of a 1x1 convolution: inputs x pixels times pixels x outputs.

#include <algorithm>

#include "engine/cpu/conv/direct_1x1.h"
#include "engine/cpu/conv/panels.h"
#include "engine/cpu/conv/window.h"
#include "engine/cpu/conv/workers.h"

namespace engine {
namespace {

// Measured on two cores. kPixels: pixels of a block; their inputs of one span and their gradient
// of one panel of outputs then stay in the L2 cache. kTasks: enough to keep many threads busy.
constexpr int64_t kPixels = 448, kSpan = 256, kTasks = 32;

struct Problem {
  const float *x, *dy;
  int64_t images, image_pixels, inputs, outputs;
  float* dw;

  Problem(const Tensor& image, const Tensor& gradient, Tensor& weights)
      : x(image.data<float>()),
        dy(gradient.data<float>()),
        images(image.shape()[0]),
        image_pixels(image.shape()[2] * image.shape()[3]),
        inputs(image.shape()[1]),
        outputs(gradient.shape()[1]),
        dw(weights.data<float>()) {}
};

// A piece of the gradient: a span of at most kSpan inputs times a panel of outputs.
struct Piece {
  int64_t first_input, inputs, panel;
};

// A task sums a piece over all pixels or, if there are few pieces, over one of several parts of the
// pixels, whose sums are added up in the end. The split does not depend on the number of threads,
// so the bits do not either. Pixels are taken in blocks: `slices` of one image, or `together`
// images.
struct Plan {
  int64_t input_blocks, panels, spans;
  int64_t slices, together, blocks, parts;
  int64_t tasks, worker_floats;

  explicit Plan(const Problem& p)
      : input_blocks(p.inputs / kLanes),
        panels(panels_of(p.outputs)),
        spans(ceil_div(p.inputs, kSpan)),
        slices(ceil_div(p.image_pixels, kPixels)),
        together(std::max<int64_t>(kPixels / p.image_pixels, 1)),
        blocks(ceil_div(p.images, together) * slices),
        parts(std::min(ceil_div(kTasks, pieces()), blocks)),
        tasks(pieces() * parts),
        worker_floats(ceil_div(input_blocks, spans) * kLanes * kPanel) {}

  int64_t pieces() const { return panels * spans; }
  Piece piece(int64_t number) const {
    const int64_t span = number / panels, first = part_begin(input_blocks, span, spans);
    const int64_t count = part_begin(input_blocks, span + 1, spans) - first;
    return {first * kLanes, count * kLanes, number % panels};
  }
};

class Worker {
 public:
  Worker(const Problem& problem, const Plan& plan, float* sums)
      : p_(problem), plan_(plan), sums_(sums) {}

  // A task without parts: stores a piece while it is in the cache.
  void run(int64_t task) {
    sum(plan_.piece(task), 0, sums_);
    store(plan_.piece(task), sums_);
  }

  // sums [piece.inputs, kPanel] over a part of the pixels.
  void sum(const Piece& piece, int64_t part, float* sums) {
    const int64_t first_block = part_begin(plan_.blocks, part, plan_.parts);
    const int64_t end_block = part_begin(plan_.blocks, part + 1, plan_.parts);
    const int64_t plane = p_.image_pixels * kLanes;
    row_.clear();
    for (int64_t c = 0; c < piece.inputs; ++c) row_.push_back(c / kLanes * plane + c % kLanes);
    for (int64_t block = first_block; block < end_block; ++block) {
      const int64_t slice = block % plan_.slices;
      const int64_t begin = part_begin(p_.image_pixels, slice, plan_.slices);
      list_runs(block / plan_.slices * plan_.together, begin);
      sum_weights({.x = p_.x + piece.first_input * p_.image_pixels,
                   .dy = p_.dy + piece.panel * kRegisterVectors * plane,
                   .dy_plane = plane,
                   .x_run = x_run_.data(),
                   .dy_run = dy_run_.data(),
                   .runs = static_cast<int64_t>(x_run_.size()),
                   .length = part_begin(p_.image_pixels, slice + 1, plan_.slices) - begin,
                   .x_step = kLanes,
                   .accumulate = block > first_block,
                   .x_ahead = plane},
                  vectors_of(p_.outputs, piece.panel), row_.data(), sums,
                  static_cast<int64_t>(row_.size()));
    }
  }

  // Writes a piece to dw [O,C,1,1].
  void store(const Piece& piece, const float* sums) const {
    for (int64_t v = 0; v < vectors_of(p_.outputs, piece.panel); ++v) {
      float* to = p_.dw + (piece.panel * kPanel + v * kLanes) * p_.inputs + piece.first_input;
      for (int64_t c = 0; c < piece.inputs; c += kLanes) {
        unpack_block(sums + c * kPanel + v * kLanes, kPanel, 1, to + c, p_.inputs);
      }
    }
  }

 private:
  // Where the pixels of a block begin, in each of its images from `image` on.
  void list_runs(int64_t image, int64_t begin) {
    x_run_.clear(), dy_run_.clear();
    for (int64_t i = image; i < std::min(image + plan_.together, p_.images); ++i) {
      x_run_.push_back(i * p_.inputs * p_.image_pixels + begin * kLanes);
      dy_run_.push_back(i * p_.outputs * p_.image_pixels + begin * kLanes);
    }
  }

  const Problem& p_;
  const Plan& plan_;
  float* sums_;
  std::vector<int64_t> row_, x_run_, dy_run_;
};

void sum_by_parts(const Problem& p, const Plan& plan) {
  const int64_t floats = plan.worker_floats, pieces = plan.pieces();
  Tensor memory({plan.tasks, floats});
  float* all = memory.data<float>();
  parallel_items(plan.tasks, [&](int64_t task) {
    Worker(p, plan, nullptr).sum(plan.piece(task % pieces), task / pieces, all + task * floats);
  });
  parallel_items(pieces, [&](int64_t number) {
    const Piece piece = plan.piece(number);
    float* sums = all + number * floats;
    for (int64_t part = 1; part < plan.parts; ++part) {
      const float* more = sums + part * pieces * floats;
      for (int64_t i = 0; i < piece.inputs * kPanel; ++i) sums[i] += more[i];
    }
    Worker(p, plan, nullptr).store(piece, sums);
  });
}

}  // namespace

void direct_1x1_backward_weights(const Tensor& x, const Tensor& dy, int64_t stride, Tensor& dw) {
  const Tensor pixels = stride == 1 ? x : gather_pixels(x, stride);
  const Problem p(pixels, dy, dw);
  const Plan plan(p);
  plan.parts > 1 ? sum_by_parts(p, plan) : run_workers<Worker>(p, plan);
}

}  // namespace engine
