// The bias of a convolution on CUDA. Tensors channels-last, bias and its gradient [C], one type.
#pragma once

#include "engine/cuda/context.h"

namespace engine {

// y[n,c,i,j] += bias[c]
void add_bias(CudaContext& ctx, const Tensor& bias, Tensor& y);

// db[c] = sum of dy[n,c,i,j] over n, i, j, in f32 and in the same order in every run.
void bias_gradient(CudaContext& ctx, const Tensor& dy, Tensor& db);

}  // namespace engine
