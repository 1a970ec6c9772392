// Shared memory whose size is chosen at launch. This has its own file because it is the only part
// of the language that cannot be made to compile for the host: the tests' emulation of CUDA
// replaces it.
#pragma once

namespace engine {

// The block's Grid::shared_bytes bytes, aligned to 16 bytes and uninitialised.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
}

}  // namespace engine
