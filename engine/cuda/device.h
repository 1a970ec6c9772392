// The devices of the process: what their contexts and allocators share.
#pragma once

#include <cuda_runtime.h>

namespace engine {

// Makes `index` the calling thread's current device. Throws where there is no such device.
void use_cuda_device(int index);

// The stream on which everything of the device runs but copies and collectives. Lives as long as
// the program.
cudaStream_t compute_stream(int index);

}  // namespace engine
