#include "pixpro/method/kernels.h"

namespace pixpro {

void check_pairs(const char* op, const Tensor& similarity, const PixelPairs& pairs) {
  const int64_t images = pairs.boxes_q.shape()[0], pixels = pairs.grid.pixels();
  engine::require(similarity.shape() == engine::Shape{images, pixels, pixels} &&
                      pairs.boxes_q.shape() == engine::Shape{images, 4} &&
                      pairs.boxes_k.shape() == engine::Shape{images, 4},
                  op, ": expected similarities [M,P,P] and boxes [M,4], found ", similarity.shape(),
                  ", ", pairs.boxes_q.shape(), " and ", pairs.boxes_k.shape(), " on a grid of ",
                  pairs.grid.height, " x ", pairs.grid.width);
  engine::require(similarity.elements() > 0, op, ": similarities ", similarity, " have no values");
}

}  // namespace pixpro
