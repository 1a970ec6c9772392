// The direct convolution where every output pixel has a single input pixel: a matrix product, with
// the pixels read where they lie. f32, activations in kLaneLayout. Results do not depend on the
// number of threads.
#pragma once

#include "engine/cpu/panels.h"
#include "engine/kernels/conv.h"

namespace engine {

inline bool is_1x1(const Shape& w, const Conv2dOptions& options) {
  return w[2] == 1 && w[3] == 1 && options.stride == 1 && options.padding == 0;
}

// out [N,O,H,W] = (adds ? out : 0) + view * in [N,I,H,W] at every pixel, for a view of the weight
// w: y of x, or with the transposed view dx of dy.
void direct_1x1(CpuContext&, const Tensor& in, const Tensor& w, const WeightView& view, bool adds,
                Tensor& out);

void direct_1x1_backward_weights(const Tensor& x, const Tensor& dy, Tensor& dw);

}  // namespace engine
