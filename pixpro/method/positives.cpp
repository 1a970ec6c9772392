#include "pixpro/method/positives.h"

#include <vector>

#include "engine/parallel.h"

namespace pixpro {
namespace {

std::vector<Bin> bins_of(const double* box, PixelGrid grid) {
  const Bins bins(box, grid);
  std::vector<Bin> all;
  for (int64_t pixel = 0; pixel < grid.pixels(); ++pixel) all.push_back(bins[pixel]);
  return all;
}

}  // namespace

void fill_positive_mask(const double* box_q, const double* box_k, PixelGrid grid, double pos_ratio,
                        uint8_t* mask) {
  const std::vector<Bin> keys = bins_of(box_k, grid);
  for (const Bin& q : bins_of(box_q, grid)) {
    for (const Bin& k : keys) *mask++ = is_positive(q, k, pos_ratio) ? 1 : 0;
  }
}

Tensor positive_mask(const Tensor& boxes_q, const Tensor& boxes_k, PixelGrid grid,
                     double pos_ratio) {
  const int64_t images = boxes_q.shape()[0], pixels = grid.pixels();
  Tensor mask({images, pixels, pixels}, engine::DType::u8);
  uint8_t* out = mask.data<uint8_t>();
  const double *q = boxes_q.data<double>(), *k = boxes_k.data<double>();
  engine::parallel_for(images, engine::grain_of(pixels * pixels), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      fill_positive_mask(q + 4 * m, k + 4 * m, grid, pos_ratio, out + m * pixels * pixels);
    }
  });
  return mask;
}

}  // namespace pixpro
