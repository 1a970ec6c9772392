// The direct convolution if every output pixel has a single input pixel: a matrix product that
// reads the pixels in place, or, with a stride, from a copy of those that are used. f32,
// activations in kLaneLayout. Results do not depend on the number of threads.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

inline bool is_1x1(const Shape& w, const Conv2dOptions& options) {
  return w[2] == 1 && w[3] == 1 && options.padding == 0;
}

// y = (adds ? y : 0) + the convolution; dx likewise.
void direct_1x1_forward(CpuContext&, const Tensor& x, const Tensor& w, int64_t stride, bool adds,
                        Tensor& y);
void direct_1x1_backward_data(CpuContext&, const Tensor& dy, const Tensor& w, int64_t stride,
                              bool adds, Tensor& dx);
void direct_1x1_backward_weights(const Tensor& x, const Tensor& dy, int64_t stride, Tensor& dw);

}  // namespace engine
