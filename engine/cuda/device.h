// What the contexts and allocators of a device share.
#pragma once

#include <cuda_runtime.h>

namespace engine {

// Makes `index` the calling thread's current device. Throws if there is no such device.
void use_cuda_device(int index);

// The stream on which all work of the device runs except copies and collectives. It lives as long
// as the program.
cudaStream_t compute_stream(int index);

}  // namespace engine
