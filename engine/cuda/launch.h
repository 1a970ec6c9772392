// The CUDA language, and how kernels are started. Every device source (.cu) includes this, and all
// launches go through it.
//
//   launch(ctx, relu_kernel, Grid{.blocks = 32, .threads = 256}, count, x, y);
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <source_location>
#include <utility>

#include "engine/cuda/context.h"
#include "engine/cuda/dynamic_shared.h"

namespace engine {

struct Grid {
  dim3 blocks;
  dim3 threads;             // in each block, at most 1024
  size_t shared_bytes = 0;  // the size of dynamic_shared() in each block
  std::source_location where = std::source_location::current();
};

// Queues the kernel on the context's stream. Arguments convert to the kernel's parameter types, as
// in a function call.
template <class... Parameters, class... Arguments>
void launch(const CudaContext& ctx, void (*kernel)(Parameters...), const Grid& grid,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument per kernel parameter");
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = ctx.stream();
  check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), grid.where);
}

}  // namespace engine
