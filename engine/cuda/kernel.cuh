// What kernels share: walking over elements, sums within a block, types.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/cuda/launch.h"

namespace engine {

template <>
constexpr DType dtype_of<__nv_bfloat16>() {
  return DType::bf16;
}
template <>
constexpr DType dtype_of<__half>() {
  return DType::f16;
}

inline constexpr int kBlockThreads = 256;

// A grid that walks over `elements` elements with for_each_index, one or more a thread.
inline Grid grid_over(const CudaContext& ctx, int64_t elements) {
  const int64_t needed = (elements + kBlockThreads - 1) / kBlockThreads;
  const int64_t most = int64_t{32} * ctx.multiprocessors();  // more only wait for their turn
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(needed, 1, most));
  return {.blocks = dim3(blocks), .threads = dim3(kBlockThreads)};
}

// Calls f(i) for those of 0 .. count-1 that fall to this thread.
template <class F>
__device__ void for_each_index(int64_t count, F&& f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) f(i);
}

// The sum of every thread's value, for all threads of a one-dimensional block of kThreads, a power
// of 2; in the same order in every run.
template <int kThreads = kBlockThreads>
__device__ double block_sum(double value) {
  __shared__ double partial[kThreads];
  __syncthreads();  // an earlier sum may still be read
  partial[threadIdx.x] = value;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  __syncthreads();
  return partial[0];
}

// Calls f with a value of the type in which activations of this tensor's type are stored; kernels
// compute in f32 whatever it is. Only the CPU computes in f64.
template <class F>
decltype(auto) for_activation(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(__nv_bfloat16{});
  if (dtype == DType::f16) return f(__half{});
  require(dtype == DType::f32, "cuda: expected a tensor of f32, bf16 or f16, found ", dtype,
          "; float64 is for the CPU");
  return f(float{});
}

}  // namespace engine
