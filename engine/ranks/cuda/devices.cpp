#include "engine/ranks/devices.h"

#include "engine/cuda/check.h"

namespace engine {

int count_cuda_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorNoDevice) return 0;
  check(status);
  return count;
}

}  // namespace engine
