// Pooling of planes. x: [N,C,H,W] any layout; y in the same layout.
#pragma once

#include "engine/context.h"

namespace engine {

struct PoolOptions {
  int64_t size = 2;
  int64_t stride = 2;
  int64_t padding = 0;  // at most size / 2; padded places never win
};

// Shape of y: floor((H + 2 padding - size) / stride) + 1; throws where that is below 1.
Shape max_pool2d_output_shape(const Shape& x, PoolOptions options);

// winner: u8, shape and layout of y: which of the size * size places (row by row) held the maximum,
// the first of equals; a NaN wins. size <= 15.
void max_pool2d_forward(CpuContext&, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner);
void max_pool2d_forward(CudaContext&, const Tensor& x, PoolOptions options, Tensor& y,
                        Tensor& winner);
void max_pool2d_backward(CpuContext&, const Tensor& dy, const Tensor& winner, PoolOptions options,
                         Tensor& dx);
void max_pool2d_backward(CudaContext&, const Tensor& dy, const Tensor& winner, PoolOptions options,
                         Tensor& dx);

// y: [N,C] = mean over the pixels.
void global_average_pool_forward(CpuContext&, const Tensor& x, Tensor& y);
void global_average_pool_forward(CudaContext&, const Tensor& x, Tensor& y);
void global_average_pool_backward(CpuContext&, const Tensor& dy, Tensor& dx);
void global_average_pool_backward(CudaContext&, const Tensor& dy, Tensor& dx);

}  // namespace engine
