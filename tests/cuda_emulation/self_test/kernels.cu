#include <cuda_runtime.h>

#include "engine/cuda/dynamic_shared.h"
#include "tests/cuda_emulation/self_test/kernels.h"

namespace {

constexpr unsigned kThreads = 64;

template <class... Parameters, class... Arguments>
cudaError_t launch_blocks(cudaStream_t stream, unsigned blocks, void (*kernel)(Parameters...),
                          Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = kThreads;
  config.dynamicSmemBytes = kThreads * sizeof(float);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

__global__ void count_kernel(float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = static_cast<float>(i);
}

__global__ void double_kernel(const float* x, float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = 2.0f * x[i];
}

template <class T>
__device__ T warp_sum(T value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

__global__ void block_sums_kernel(const float* x, float* sums) {
  __shared__ float of_warp[kThreads / 32];
  const float sum = warp_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) sums[blockIdx.x] = of_warp[0] + of_warp[1];
}

__global__ void reverse_kernel(const float* x, float* y) {
  float* values = engine::dynamic_shared<float>();
  values[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = values[kThreads - 1 - threadIdx.x];
}

__global__ void missing_barrier_kernel(float* y) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = values[kThreads - 1 - threadIdx.x];
}

__global__ void missing_broadcast_barrier_kernel(float* y) {
  __shared__ float value;
  if (threadIdx.x == 0) value = 7.0f;
  y[threadIdx.x] = value;
}

__global__ void missing_warp_barrier_kernel(float* y) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = values[threadIdx.x ^ 1];
}

__global__ void divergent_barrier_kernel(float* y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    y[threadIdx.x] = 0.0f;
    __syncthreads();
  }
}

__global__ void stuck_kernel(float* y) {
  float value = 1.0f;
  if (threadIdx.x < 16) {
    value = __shfl_xor_sync(0xffffffffu, value, 1);
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = value;
}

__global__ void uninitialised_kernel(float* y) {
  __shared__ float values[kThreads];
  if (threadIdx.x < 32) values[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];
}

__global__ void write_up_to_kernel(float* y, int last) {
  if (static_cast<int>(threadIdx.x) <= last) y[threadIdx.x] = 1.0f;
}

__global__ void blocks_collide_kernel(float* y) { y[threadIdx.x] = static_cast<float>(blockIdx.x); }

}  // namespace

cudaError_t launch_count(cudaStream_t stream, unsigned blocks, float* y) {
  return launch_blocks(stream, blocks, count_kernel, y);
}
cudaError_t launch_double(cudaStream_t stream, unsigned blocks, const float* x, float* y) {
  return launch_blocks(stream, blocks, double_kernel, x, y);
}
cudaError_t launch_block_sums(cudaStream_t stream, unsigned blocks, const float* x, float* sums) {
  return launch_blocks(stream, blocks, block_sums_kernel, x, sums);
}
cudaError_t launch_reverse(cudaStream_t stream, const float* x, float* y) {
  return launch_blocks(stream, 1, reverse_kernel, x, y);
}
cudaError_t launch_missing_barrier(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, missing_barrier_kernel, y);
}
cudaError_t launch_missing_broadcast_barrier(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, missing_broadcast_barrier_kernel, y);
}
cudaError_t launch_missing_warp_barrier(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, missing_warp_barrier_kernel, y);
}
cudaError_t launch_divergent_barrier(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, divergent_barrier_kernel, y);
}
cudaError_t launch_stuck(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, stuck_kernel, y);
}
cudaError_t launch_uninitialised(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 1, uninitialised_kernel, y);
}
cudaError_t launch_write_up_to(cudaStream_t stream, float* y, int last) {
  return launch_blocks(stream, 1, write_up_to_kernel, y, last);
}
cudaError_t launch_blocks_collide(cudaStream_t stream, float* y) {
  return launch_blocks(stream, 10, blocks_collide_kernel, y);
}
