// The one place that speaks to oneDNN (2.x API). Everything f32; arguments as in the kernel
// headers, already checked. Convolutions run in the layout activation_layout names, or in oneDNN's
// own choice where it has no fast kernel for that one; a tensor in another layout is reordered,
// which CpuCounters::reorders counts (packing weights does not count).
// Primitives are kept by problem, and all scratch memory comes from the engine's allocator, so that
// a step in steady state creates and allocates nothing. Every oneDNN failure becomes an
// engine::Error.
#pragma once

#include "engine/kernels/conv.h"
#include "engine/kernels/matmul.h"

namespace engine {

void onednn_conv_forward(CpuContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y);
void onednn_conv_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, Tensor& dx);
void onednn_conv_backward_weights(CpuContext&, const Tensor& x, const Tensor& dy,
                                  const Conv2dOptions& options, Tensor& dw, Tensor& db);

void onednn_matmul(CpuContext&, const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);

}  // namespace engine
