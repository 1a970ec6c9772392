#include "pixpro/method/positives.h"

#include <algorithm>
#include <cmath>

#include "engine/parallel.h"

namespace pixpro {

Bins::Bins(const double* box, PixelGrid grid) {
  const double bin_width = (box[2] - box[0]) / static_cast<double>(grid.width);
  const double bin_height = (box[3] - box[1]) / static_cast<double>(grid.height);
  diagonal = std::sqrt(bin_width * bin_width + bin_height * bin_height);
  for (int64_t row = 0; row < grid.height; ++row) {
    for (int64_t column = 0; column < grid.width; ++column) {
      x.push_back(box[0] + (static_cast<double>(column) + 0.5) * bin_width);
      y.push_back(box[1] + (static_cast<double>(row) + 0.5) * bin_height);
    }
  }
}

bool is_positive(const Bins& q, int64_t i, const Bins& k, int64_t j, double pos_ratio) {
  const size_t a = static_cast<size_t>(i), b = static_cast<size_t>(j);
  const double dx = q.x[a] - k.x[b], dy = q.y[a] - k.y[b];
  return std::sqrt(dx * dx + dy * dy) / std::max(q.diagonal, k.diagonal) < pos_ratio;
}

Tensor positive_mask(const Tensor& boxes_q, const Tensor& boxes_k, PixelGrid grid,
                     double pos_ratio) {
  const int64_t images = boxes_q.shape()[0], pixels = grid.pixels();
  Tensor mask({images, pixels, pixels}, engine::DType::u8);
  uint8_t* out = mask.data<uint8_t>();
  const double *from = boxes_q.data<double>(), *to = boxes_k.data<double>();
  engine::parallel_for(images, engine::grain_of(pixels * pixels), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      const Bins q(from + 4 * m, grid), k(to + 4 * m, grid);
      for (int64_t i = 0; i < pixels; ++i) {
        for (int64_t j = 0; j < pixels; ++j) {
          out[(m * pixels + i) * pixels + j] = is_positive(q, i, k, j, pos_ratio) ? 1 : 0;
        }
      }
    }
  });
  return mask;
}

}  // namespace pixpro
