// Matrix products by oneDNN.
#pragma once

#include "engine/kernels/matmul.h"

namespace engine {

// As matmul in engine/kernels/matmul.h, for checked arguments of f32.
void onednn_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);

}  // namespace engine
