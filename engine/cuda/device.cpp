#include "engine/cuda/device.h"

#include <map>
#include <mutex>

#include "engine/cuda/check.h"
#include "engine/error.h"

namespace engine {

void use_cuda_device(int index) {
  thread_local int current = -1;
  if (current == index) return;
  int count = 0;
  check(cudaGetDeviceCount(&count));
  require(index >= 0 && index < count, "device: there is no cuda:", index, "; this machine has ",
          count, " CUDA devices, numbered from 0");
  check(cudaSetDevice(index));
  current = index;
}

cudaStream_t compute_stream(int index) {
  static std::mutex mutex;
  static std::map<int, cudaStream_t>& streams = *new std::map<int, cudaStream_t>;
  const std::lock_guard lock(mutex);
  cudaStream_t& stream = streams[index];
  if (stream == nullptr) {
    use_cuda_device(index);
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  return stream;
}

}  // namespace engine
