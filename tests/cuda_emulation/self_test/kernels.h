// Small correct kernels, and others with one planted bug each. All run in blocks of 64 threads.
#pragma once

#include <cuda_runtime_api.h>

// y[i] = i in `blocks` blocks.
cudaError_t launch_count(cudaStream_t stream, unsigned blocks, float* y);
// y[i] = 2 x[i].
cudaError_t launch_double(cudaStream_t stream, unsigned blocks, const float* x, float* y);
// sums[b] = sum of block b's 64 values, by shuffles and shared memory.
cudaError_t launch_block_sums(cudaStream_t stream, unsigned blocks, const float* x, float* sums);
// y[i] = x[63 - i] through dynamic shared memory; one block.
cudaError_t launch_reverse(cudaStream_t stream, const float* x, float* y);

// Reads another thread's value without __syncthreads in between. Right: y[i] = 63 - i.
cudaError_t launch_missing_barrier(cudaStream_t stream, float* y);
// The same with a value that one thread writes for all. Right: y[i] = 7.
cudaError_t launch_missing_broadcast_barrier(cudaStream_t stream, float* y);
// Relies on a warp running in lockstep. Right: y[i] = i ^ 1.
cudaError_t launch_missing_warp_barrier(cudaStream_t stream, float* y);
// The two warps wait at different __syncthreads.
cudaError_t launch_divergent_barrier(cudaStream_t stream, float* y);
// Half a warp waits in a shuffle for the other half, which waits at a barrier.
cudaError_t launch_stuck(cudaStream_t stream, float* y);
// Reads shared memory that was never written.
cudaError_t launch_uninitialised(cudaStream_t stream, float* y);
// Writes y[0] .. y[last].
cudaError_t launch_write_up_to(cudaStream_t stream, float* y, int last);
// Ten blocks write y[0] .. y[63].
cudaError_t launch_blocks_collide(cudaStream_t stream, float* y);
