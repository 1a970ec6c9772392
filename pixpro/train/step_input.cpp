#include "pixpro/train/step_input.h"

#include "engine/tensor_ops.h"

namespace pixpro {

Tensor images_of(const Tensor& stack, int64_t begin, int64_t count) {
  const int64_t n = stack.shape()[0] / 2;
  if (count == n) return stack;
  return engine::concatenate_rows({stack.rows(begin, count), stack.rows(n + begin, count)});
}

int64_t micro_batch_size(const Tensor& views, int64_t micro_batches) {
  const int64_t images = views.shape()[0] / 2;
  engine::require(micro_batches >= 1 && images >= micro_batches && images % micro_batches == 0,
                  "trainer: a batch of ", images, " images cannot be split into ", micro_batches,
                  " equal micro-batches");
  return images / micro_batches;
}

StepInput part_of_rank(const StepInput& step, int rank, int ranks, int64_t micro_batches) {
  const int64_t images = micro_batch_size(step.views, micro_batches);
  engine::require(images >= ranks, "trainer: ", images, " images per micro-batch are too few for ",
                  ranks, " ranks, each of which needs one");
  const int64_t first = rank * images / ranks, count = (rank + 1) * images / ranks - first;
  const auto part = [&](const Tensor& stack, int64_t half) {
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < micro_batches; ++i) {
      rows.push_back(stack.rows(half * images * micro_batches + i * images + first, count));
    }
    return engine::concatenate_rows(rows);
  };
  const auto both = [&](const Tensor& stack) {
    return engine::concatenate_rows({part(stack, 0), part(stack, 1)});
  };
  return {.views = both(step.views),
          .boxes = both(step.boxes),
          .images_of_ranks = images * micro_batches,
          .report = step.report};
}

}  // namespace pixpro
