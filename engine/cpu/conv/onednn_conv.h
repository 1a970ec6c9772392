// Convolutions by oneDNN, for the shapes that the engine's own kernels do not take.
//
// They run in the layout that activation_layout names, or in oneDNN's own choice if it has no fast
// kernel for that one. A tensor in another layout is reordered, which CpuCounters::reorders counts;
// packing weights does not count.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

// Like the functions of engine/kernels/conv.h, for arguments of f32 that have been checked.
void onednn_conv_forward(CpuContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dOptions& options, Tensor& y);
void onednn_conv_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                               const Conv2dOptions& options, Tensor& dx);
void onednn_conv_backward_weights(CpuContext&, const Tensor& x, const Tensor& dy,
                                  const Conv2dOptions& options, Tensor& dw, Tensor& db);

}  // namespace engine
