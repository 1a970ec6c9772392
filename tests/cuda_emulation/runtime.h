// Shared by the files that define CUDA's runtime.
#pragma once

#include <cuda_runtime_api.h>

namespace cuda_emulation {

// The result of an emulated function: its own error or that of earlier work, kept for
// cudaGetLastError.
cudaError_t returned(cudaError_t error);

}  // namespace cuda_emulation
