// The bias of a convolution on CUDA. Activations channels-last in f32, bf16 or f16; bias and its
// gradient [C] f32.
#pragma once

#include "engine/cuda/context.h"

namespace engine {

// y[n,c,i,j] += bias[c]
void add_bias(CudaContext& ctx, const Tensor& bias, Tensor& y);

// db[c] = sum of dy[n,c,i,j] over n, i, j, in f64 and in the same order in every run.
void bias_gradient(CudaContext& ctx, const Tensor& dy, Tensor& db);

}  // namespace engine
