#include "engine/kernels/matmul.h"

namespace engine {

Shape matmul_output_shape(const Shape& a, const Shape& b, MatmulOptions options) {
  const int axes = a.axes();
  require((axes == 2 || axes == 3) && b.axes() == axes && (axes == 2 || a[0] == b[0]),
          "matmul: expected [M,K] and [K,N], or [B,M,K] and [B,K,N], found ", a, " and ", b);
  const int64_t m = a[axes - (options.transpose_a ? 1 : 2)];
  const int64_t ka = a[axes - (options.transpose_a ? 2 : 1)];
  const int64_t kb = b[axes - (options.transpose_b ? 1 : 2)];
  const int64_t n = b[axes - (options.transpose_b ? 2 : 1)];
  require(ka == kb, "matmul: ", a, options.transpose_a ? " transposed" : "", " and ", b,
          options.transpose_b ? " transposed" : "", " do not fit: ", ka, " columns meet ", kb,
          " rows");
  return axes == 2 ? Shape{m, n} : Shape{a[0], m, n};
}

void check_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, const Tensor& c) {
  const Shape expected = matmul_output_shape(a.shape(), b.shape(), options);
  require(c.shape() == expected, "matmul: expected the output ", expected, ", found ", c.shape());
  require(a.dtype() == b.dtype() && a.dtype() == c.dtype(), "matmul: expected one type, found ",
          a.dtype(), ", ", b.dtype(), " and ", c.dtype());
}

}  // namespace engine
