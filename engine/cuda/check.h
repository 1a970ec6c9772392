// One check(status) for every CUDA library: throws Error, which names the failure and the call
// site.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <source_location>
#include <string>

namespace engine {

void check(cudaError_t status, const std::source_location& where = std::source_location::current());
void check(cublasStatus_t status,
           const std::source_location& where = std::source_location::current());

// What all overloads call on failure: throws "<library>: <what> (engine/cuda/context.cpp:12)".
[[noreturn]] void fail_at(const std::source_location& where, const char* library,
                          const std::string& what);

}  // namespace engine
