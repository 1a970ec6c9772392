// Direct convolution in register tiles: the products over all taps and input channels of an output
// pixel are summed in registers, as in a matrix product, but without writing the matrix of patches.
// f32, activations in kLaneLayout, no groups or dilation; any kernel, stride and
// padding. Results do not depend on the number of threads.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

void direct_conv_forward(CpuContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y);
// dx = (adds ? dx : 0) + the gradient.
void direct_conv_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, bool adds, Tensor& dx);
void direct_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                  Tensor& dw);

}  // namespace engine
