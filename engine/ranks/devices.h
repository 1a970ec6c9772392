// The CUDA devices that ranks can be given.
#pragma once

namespace engine {

// How many this process sees (CUDA_VISIBLE_DEVICES may hide some); 0 in a build without CUDA.
int count_cuda_devices();

}  // namespace engine
