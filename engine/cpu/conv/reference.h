// The reference convolution for float and double in Layout::plain: the patches of the image are
// unfolded into a matrix, which is multiplied by the weights. It computes float64, and the tests
// compare the fast kernels with it. Results do not depend on the number of threads. The arguments
// are those of engine/kernels/conv.h, already checked.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

template <class T>
void reference_conv_forward(const Tensor& x, const Tensor& w, const Tensor& bias,
                            const Conv2dOptions& options, Tensor& y);
template <class T>
void reference_conv_backward_data(const Tensor& dy, const Tensor& w, const Conv2dOptions& options,
                                  Tensor& dx);
template <class T>
void reference_conv_backward_weights(const Tensor& x, const Tensor& dy,
                                     const Conv2dOptions& options, Tensor& dw, Tensor& db);

}  // namespace engine
