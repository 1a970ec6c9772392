// Matrix products, plain layout only.
#pragma once

#include "engine/context.h"

namespace engine {

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};

// The shape of c; throws where a and b do not fit.
Shape matmul_output_shape(const Shape& a, const Shape& b, MatmulOptions options);

// c = op(a) op(b). a: [M,K] or, for a batch of products, [B,M,K] (stored [K,M] if transposed);
// b: [K,N] or [B,K,N] (stored [N,K] if transposed); c: [M,N] or [B,M,N]; overwritten.
void matmul(CpuContext&, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);
void matmul(CudaContext&, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);

}  // namespace engine
