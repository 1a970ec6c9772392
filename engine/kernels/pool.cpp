#include "engine/kernels/pool.h"

namespace engine {

Shape max_pool2d_output_shape(const Shape& x, PoolOptions o) {
  require(x.axes() == 4, "max_pool2d: expected [N,C,H,W], found ", x);
  require(o.size >= 1 && o.size <= 15 && o.stride >= 1 && o.padding >= 0 && 2 * o.padding <= o.size,
          "max_pool2d: expected size 1..15, stride >= 1 and padding 0..size/2, found size ", o.size,
          ", stride ", o.stride, ", padding ", o.padding);
  const auto pooled = [&](int64_t extent) { return extent + 2 * o.padding - o.size; };
  require(pooled(x[2]) >= 0 && pooled(x[3]) >= 0, "max_pool2d: a window of ", o.size,
          " does not fit ", x, " with padding ", o.padding);
  return {x[0], x[1], pooled(x[2]) / o.stride + 1, pooled(x[3]) / o.stride + 1};
}

void check_max_pool2d(const char* op, const Tensor& x, const Tensor& y, const Tensor& winner,
                      PoolOptions options) {
  require(y.shape() == max_pool2d_output_shape(x.shape(), options) && winner.shape() == y.shape() &&
              winner.dtype() == DType::u8 && y.layout() == x.layout() &&
              winner.layout() == x.layout() && y.dtype() == x.dtype(),
          op, ": ", x, " does not pool to ", y, " with winners ", winner);
}

void check_global_average_pool(const char* op, const Tensor& x, const Tensor& y) {
  require(x.shape().axes() == 4 && y.dtype() == x.dtype() &&
              y.shape() == Shape{x.shape()[0], x.shape()[1]},
          op, ": expected [N,C,H,W] and [N,C] of one type, found ", x, " and ", y);
}

}  // namespace engine
