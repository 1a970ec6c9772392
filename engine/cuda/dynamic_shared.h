// Shared memory whose size a launch chooses. In a file of its own because this is the only piece of
// the language that a host compiler cannot be taught: the tests' emulation of CUDA replaces it.
#pragma once

namespace engine {

// The block's Grid::shared_bytes bytes, aligned to 16, uninitialised.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
}

}  // namespace engine
