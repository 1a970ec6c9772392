// The project's own convolution for float and double on plain tensors: unfolds the patches of the
// image into a matrix and multiplies. It carries float64 and checks the library; outputs do not
// depend on the number of threads. Arguments as in engine/kernels/conv.h, already checked.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

template <class T>
void plain_conv_forward(const Tensor& x, const Tensor& w, const Tensor& bias,
                        const Conv2dOptions& options, Tensor& y);
template <class T>
void plain_conv_backward_data(const Tensor& dy, const Tensor& w, const Conv2dOptions& options,
                              Tensor& dx);
template <class T>
void plain_conv_backward_weights(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                                 Tensor& dw, Tensor& db);

}  // namespace engine
