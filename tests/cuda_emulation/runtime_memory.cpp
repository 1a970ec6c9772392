// Allocation, copies, fills.
#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/runtime.h"
#include "tests/cuda_emulation/sanitizers.h"
#include "tests/cuda_emulation/stream.h"

using namespace cuda_emulation;

namespace {

cudaError_t allocate(void** block, size_t bytes) {
  *block = nullptr;
  if (bytes == 0) return cudaSuccess;
  *block = allocate_device(bytes, current_device());
  if (*block == nullptr) return cudaErrorMemoryAllocation;
  add_live(*block, "device memory of " + std::to_string(bytes) + " bytes");
  return cudaSuccess;
}

void release(void* block) {
  remove_live(block);
  free_device(block);
}

// Reports a range that is not where the direction of the copy says.
cudaError_t check_range(const char* function, const void* begin, size_t bytes, bool on_device) {
  if (is_device_address(begin) != on_device) {
    report(function, ": the copy's direction says ", on_device ? "device" : "host",
           " memory, but the pointer is of the other kind");
    return cudaErrorInvalidMemcpyDirection;
  }
  if (on_device && !is_device_block(begin, bytes)) {
    report(function, ": ", bytes, " bytes are not within one device block");
    return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

cudaError_t copy(const char* function, void* to, const void* from, size_t bytes,
                 cudaMemcpyKind kind, CUstream_st& stream) {
  if (bytes == 0) return cudaSuccess;
  if (kind == cudaMemcpyDefault) {
    kind = is_device_address(to)
               ? (is_device_address(from) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice)
               : (is_device_address(from) ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost);
  }
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  cudaError_t error = check_range(function, to, bytes, to_device);
  if (error == cudaSuccess) error = check_range(function, from, bytes, from_device);
  if (error != cudaSuccess) return error;
  if (!from_device && !is_pinned(from, bytes)) {  // pageable: the driver reads it before returning
    const auto* begin = static_cast<const char*>(from);
    const auto staged = std::make_shared<std::vector<char>>(begin, begin + bytes);
    enqueue(stream, [=] {
      const Seen seen;
      std::memcpy(to, staged->data(), bytes);
    });
  } else {
    enqueue(stream, [=] {
      const Seen seen;
      std::memcpy(to, from, bytes);
    });
  }
  if (!to_device && !is_pinned(to, bytes)) finish(stream);  // likewise written before returning
  return cudaSuccess;
}

cudaError_t fill(const char* function, void* begin, int value, size_t bytes, CUstream_st& stream) {
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = check_range(function, begin, bytes, true); error != cudaSuccess) {
    return error;
  }
  enqueue(stream, [=] {
    const Seen seen;
    std::memset(begin, value, bytes);
  });
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** block, size_t bytes) {
  const Call call("cudaMalloc");
  if (call.fails) return returned(cudaErrorMemoryAllocation);
  return returned(allocate(block, bytes));
}

// Waits for the device, as the driver does.
cudaError_t cudaFree(void* block) {
  const Call call("cudaFree");
  if (block == nullptr) return returned(cudaSuccess);
  if (!is_start_of_device_block(block)) return returned(cudaErrorInvalidValue);
  finish_device(current_device());
  release(block);
  return returned(call.fails ? cudaErrorLaunchFailure : cudaSuccess);
}

// The memory exists from this point of the stream on: what other streams write earlier is lost.
cudaError_t cudaMallocAsync(void** block, size_t bytes, cudaStream_t stream) {
  const Call call("cudaMallocAsync");
  if (call.fails) return returned(cudaErrorMemoryAllocation);
  cudaError_t error = allocate(block, bytes);
  if (error == cudaSuccess) error = fill("cudaMallocAsync", *block, 0xff, bytes, stream_of(stream));
  return returned(error);
}

// The memory lives until the stream reaches this point.
cudaError_t cudaFreeAsync(void* block, cudaStream_t stream) {
  const Call call("cudaFreeAsync");
  if (block == nullptr) return returned(cudaSuccess);
  if (!is_start_of_device_block(block) || !is_live(block)) return returned(cudaErrorInvalidValue);
  remove_live(block);
  enqueue(stream_of(stream), [=] { free_device(block); });
  return returned(call.fails ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaHostAlloc(void** block, size_t bytes, unsigned) {
  const Call call("cudaHostAlloc");
  if (call.fails) return returned(cudaErrorMemoryAllocation);
  *block = allocate_pinned(bytes);
  if (*block == nullptr) return returned(cudaErrorMemoryAllocation);
  add_live(*block, "pinned memory of " + std::to_string(bytes) + " bytes");
  return returned(cudaSuccess);
}

cudaError_t cudaFreeHost(void* block) {
  const Call call("cudaFreeHost");
  if (block == nullptr) return returned(cudaSuccess);
  finish_device(current_device());
  if (!free_pinned(block)) return returned(cudaErrorInvalidValue);
  remove_live(block);
  return returned(call.fails ? cudaErrorLaunchFailure : cudaSuccess);
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Call call("cudaMemGetInfo");
  if (call.fails) return returned(cudaErrorLaunchFailure);
  const MemoryUse use = device_memory(current_device());
  *free = use.total_bytes - use.used_bytes;
  *total = use.total_bytes;
  return returned(cudaSuccess);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Call call("cudaMemcpyAsync");
  if (call.fails) return returned(cudaErrorInvalidValue);
  return returned(copy("cudaMemcpyAsync", to, from, bytes, kind, stream_of(stream)));
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const Call call("cudaMemcpy");
  if (call.fails) return returned(cudaErrorInvalidValue);
  CUstream_st& stream = stream_of(nullptr);
  const cudaError_t error = copy("cudaMemcpy", to, from, bytes, kind, stream);
  if (error == cudaSuccess) finish(stream);
  return returned(error);
}

cudaError_t cudaMemsetAsync(void* begin, int value, size_t bytes, cudaStream_t stream) {
  const Call call("cudaMemsetAsync");
  if (call.fails) return returned(cudaErrorInvalidValue);
  return returned(fill("cudaMemsetAsync", begin, value, bytes, stream_of(stream)));
}

cudaError_t cudaMemset(void* begin, int value, size_t bytes) {
  const Call call("cudaMemset");
  if (call.fails) return returned(cudaErrorInvalidValue);
  return returned(fill("cudaMemset", begin, value, bytes, stream_of(nullptr)));
}

}  // extern "C"
