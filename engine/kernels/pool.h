// Pooling of planes. x: [N,C,H,W] in any layout; y has the same layout.
#pragma once

#include "engine/context.h"

namespace engine {

struct PoolOptions {
  int64_t size = 2;  // of the square window, at most 15
  int64_t stride = 2;
  int64_t padding = 0;  // at most size / 2; padded places never win
};

// Shape of y: floor((H + 2 padding - size) / stride) + 1, and so for W. Throws if that is below 1.
Shape max_pool2d_output_shape(const Shape& x, PoolOptions options);

// winner: u8, in the shape and layout of y. It holds the place of the maximum in the window,
// row * size + column. The first of equal values wins, and a NaN wins over everything.
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

// What the kernels of every device check first. `op` begins the message. In a backward x and y are
// gradients.
void check_max_pool2d(const char* op, const Tensor& x, const Tensor& y, const Tensor& winner,
                      PoolOptions options);
void check_global_average_pool(const char* op, const Tensor& x, const Tensor& y);

}  // namespace engine
