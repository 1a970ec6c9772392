// CUDA's device language for a host compiler. Every CUDA thread is a fiber, and blocks run one
// after another. Inline PTX, tensor core fragments and asynchronous copies are not supported.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace cuda_emulation {

void* dynamic_shared_memory();

// The threads of the block wait for each other. `line` tells divergent barriers apart.
void barrier(int line);

// The lanes of `mask` wait for each other. Returns the value that `source_lane` passed, or NaN if
// that lane is not among them.
uint64_t exchange(unsigned mask, uint64_t value, int source_lane, int line);
// Waits in the same way. Returns one bit per lane, set if that lane's predicate was true.
unsigned ballot(unsigned mask, bool predicate, int line);
// Waits in the same way. What a lane has written before is visible to the others after.
void warp_barrier(unsigned mask, int line);

inline int lane() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) %
                          32);
}

template <class T>
T exchange_value(unsigned mask, T value, int source_lane, int line) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "shuffles move at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source_lane, line);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// An atomic read-modify-write of any type of 4 or 8 bytes; returns the old value.
template <class T, class F>
T update_atomically(T* address, F&& changed) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  static_assert(sizeof(T) == sizeof(Bits));
  Bits* bits = reinterpret_cast<Bits*>(address);
  Bits old = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(bits, &old,
                                      std::bit_cast<Bits>(changed(std::bit_cast<T>(old))), false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return std::bit_cast<T>(old);
}

// Queues a launch. `kernel` runs one CUDA thread; `type` is that of the device function.
cudaError_t launch(const cudaLaunchConfig_t& config, const std::type_info& type,
                   std::function<void()> kernel);

// Takes the place of cudaLaunchKernelEx: arguments are converted and copied now, the kernel runs
// later.
template <class... Parameters, class... Arguments>
cudaError_t launch_kernel(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                          Arguments&&... arguments) {
  std::tuple<Parameters...> copies(std::forward<Arguments>(arguments)...);
  return launch(*config, typeid(kernel), [kernel, copies] { std::apply(kernel, copies); });
}

}  // namespace cuda_emulation

#define cudaLaunchKernelEx cuda_emulation::launch_kernel

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __launch_bounds__(...)

// One block runs at a time, so a static variable can serve all blocks. Each has a section of its
// own, because GCC refuses to mix variables of templates and of ordinary functions in one section.
#define CUDA_EMULATION_TEXT(x) #x
#define CUDA_EMULATION_SECTION(n) "cuda_shared." CUDA_EMULATION_TEXT(n)
#define __shared__ static __attribute__((section(CUDA_EMULATION_SECTION(__COUNTER__))))

using std::max;
using std::min;

inline void __syncthreads(int line = __builtin_LINE()) { cuda_emulation::barrier(line); }
inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) {
  cuda_emulation::warp_barrier(mask, line);
}

// Shuffles read within groups of `width` adjacent lanes. A lane whose source is outside its group
// keeps its value.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, int line = __builtin_LINE()) {
  const int lane = cuda_emulation::lane();
  return cuda_emulation::exchange_value(mask, value, (lane & -width) | (source & (width - 1)),
                                        line);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, int line = __builtin_LINE()) {
  const int lane = cuda_emulation::lane(), source = lane ^ bits;
  const bool outside = (source & -width) > (lane & -width);
  return cuda_emulation::exchange_value(mask, value, outside ? lane : source, line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   int line = __builtin_LINE()) {
  const int lane = cuda_emulation::lane(), source = lane + static_cast<int>(delta);
  const bool outside = (lane & (width - 1)) + static_cast<int>(delta) >= width;
  return cuda_emulation::exchange_value(mask, value, outside ? lane : source, line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 int line = __builtin_LINE()) {
  const int lane = cuda_emulation::lane(), source = lane - static_cast<int>(delta);
  const bool outside = (lane & (width - 1)) < static_cast<int>(delta);
  return cuda_emulation::exchange_value(mask, value, outside ? lane : source, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return cuda_emulation::ballot(mask, predicate != 0, line);
}
inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return cuda_emulation::ballot(mask, predicate != 0, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  return cuda_emulation::ballot(mask, predicate == 0, line) == 0;
}

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T atomicAdd(T* address, T value) {
  return cuda_emulation::update_atomically(address,
                                           [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMax(T* address, T value) {
  return cuda_emulation::update_atomically(address, [=](T old) { return max(old, value); });
}
template <class T>
T atomicExch(T* address, T value) {
  return cuda_emulation::update_atomically(address, [=](T) { return value; });
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
