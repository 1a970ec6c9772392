// Matrix products by oneDNN.
#pragma once

#include "engine/kernels/matmul.h"

namespace engine {

// Like matmul in engine/kernels/matmul.h, for arguments of f32 that have been checked.
void onednn_matmul(const Tensor& a, const Tensor& b, MatmulOptions options, Tensor& c);

}  // namespace engine
