// Matrix products in plain layout.
#pragma once

#include "engine/context.h"

namespace engine {

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};

// The shape of c. Throws if a and b do not fit together.
Shape matmul_output_shape(const Shape& a, const Shape& b, MatmulOptions options);

// c = op(a) op(b), overwritten. op(a): [M,K], op(b): [K,N], c: [M,N]; a and b are stored as [K,M]
// and [N,K] if transposed. For a batch of products, all three have a first axis B.
void matmul(CpuContext&, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);
void matmul(CudaContext&, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);

// What the kernels of every device check first.
void check_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, const Tensor& c);

}  // namespace engine
