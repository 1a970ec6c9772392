// What all kernels share: element types, loops over elements, sums within a block.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/arithmetic.h"
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

// A grid for for_each_index over this many elements, one or more per thread.
inline Grid grid_over(const CudaContext& ctx, int64_t elements) {
  const int64_t needed = ceil_div(elements, kBlockThreads);
  const int64_t most = int64_t{32} * ctx.multiprocessors();  // more would only wait for their turn
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(needed, 1, most));
  return {.blocks = dim3(blocks), .threads = dim3(kBlockThreads)};
}

// Calls f(i) for this thread's share of 0 .. count-1.
template <class F>
__device__ void for_each_index(int64_t count, F&& f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) f(i);
}

// The sum of the values of all threads of a one-dimensional block, returned to each of them. Takes
// kThreads threads, a power of 2, and adds in the same order in every run.
template <int kThreads = kBlockThreads>
__device__ double block_sum(double value) {
  __shared__ double partial[kThreads];
  __syncthreads();  // another thread may still read an earlier sum
  partial[threadIdx.x] = value;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  __syncthreads();
  return partial[0];
}

// Calls f with a value of the C++ type that stores activations of `dtype`. Kernels compute in f32,
// whatever the type. Only the CPU computes in f64.
template <class F>
decltype(auto) for_activation(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(__nv_bfloat16{});
  if (dtype == DType::f16) return f(__half{});
  require(dtype == DType::f32, "cuda: expected f32, bf16 or f16, found ", dtype,
          "; only the CPU computes in f64");
  return f(float{});
}

}  // namespace engine
