// The bias of a convolution on CUDA. Activations are channels-last in f32, bf16 or f16; the bias
// and its gradient are [C] f32.
#pragma once

#include "engine/cuda/context.h"

namespace engine {

// y[n,c,i,j] += bias[c]
void add_bias(CudaContext& ctx, const Tensor& bias, Tensor& y);

// db[c] = sum of dy[n,c,i,j] over n, i, j, taken in f64 in the same order in every run.
void bias_gradient(CudaContext& ctx, const Tensor& dy, Tensor& db);

}  // namespace engine
