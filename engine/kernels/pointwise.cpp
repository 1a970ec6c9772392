#include "engine/kernels/pointwise.h"

namespace engine {

void check_copy(const Tensor& x, const Tensor& y) {
  require(x.shape() == y.shape() && x.dtype() == y.dtype() && x.layout() == y.layout(),
          "copy: expected one shape, type and layout, found ", x, " and ", y);
}

void check_convert(const Tensor& x, const Tensor& y) {
  require(x.shape() == y.shape() && x.device() == y.device(),
          "convert: expected one shape and one device, found ", x, " and ", y);
}

void check_add_bias(const Tensor& x, const Tensor& bias, const Tensor& y) {
  require(x.shape().axes() == 2 && bias.shape() == Shape{x.shape()[1]},
          "add_bias: expected x [M,N] and bias [N], found ", x.shape(), " and ", bias.shape());
  require_same("add_bias", x, y);
}

void check_add_bias_backward(const Tensor& dy, const Tensor& db) {
  require(dy.shape().axes() == 2 && db.shape() == Shape{dy.shape()[1]},
          "add_bias backward: expected dy [M,N] and db [N], found ", dy.shape(), " and ",
          db.shape());
}

}  // namespace engine
