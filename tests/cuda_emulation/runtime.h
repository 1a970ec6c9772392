// What the files that define CUDA's runtime share.
#pragma once

#include <cuda_runtime_api.h>

namespace cuda_emulation {

// What an emulated function returns: its own error, or that of an earlier kernel; noted for
// cudaGetLastError.
cudaError_t returned(cudaError_t error);

}  // namespace cuda_emulation
