// Winograd's convolution for 3x3 kernels with stride 1 (winograd_transform.h has the formula),
// M = 2, 3 or 4: every one of the (M+2)^2 elements of a transformed tile is a matrix product of
// tiles x inputs and inputs x outputs, done by the register tiles of the direct convolution.
// f32, activations in kLaneLayout, no groups, dilation or bias; any padding. Backward-weights is
// the exact gradient of the same formula. Results do not depend on the number of threads. Relative
// error against float64: M = 2 as the direct kernel (2e-7 .. 1e-6), M = 4 three to five times that.
//
// Tiles are taken in strips, so that their transforms stay in cache and need little memory.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

template <int64_t M>
void winograd_conv_forward(CpuContext&, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y);
template <int64_t M>
void winograd_conv_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, Tensor& dx);
template <int64_t M>
void winograd_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                    Tensor& dw);

}  // namespace engine
