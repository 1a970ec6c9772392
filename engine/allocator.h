// Memory for tensors. Freed blocks are kept, merged with adjacent ones and reused, so that a
// training step in steady state allocates nothing from the system.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/device.h"

namespace engine {

struct MemoryStats {
  int64_t current_bytes = 0;       // held by tensors now
  int64_t peak_bytes = 0;          // the most held since the last reset_peak()
  int64_t cached_bytes = 0;        // freed and kept for later requests
  int64_t largest_cached = 0;      // bytes of the largest cached block; CUDA only
  int64_t system_allocations = 0;  // requests that needed new memory from the system
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  // At least `bytes` bytes at a multiple of 64. Throws Error naming the request if out of memory.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* data, int64_t bytes) = 0;  // the values of allocate()
  virtual MemoryStats stats() const = 0;
  virtual void reset_peak() = 0;
  virtual void release_cache() = 0;  // returns cached memory to the system where it can
};

// The allocator of a device. It may be used from any thread and lives as long as the program. Under
// AddressSanitizer the CPU's allocator caches nothing, so that no out-of-bounds access is hidden.
Allocator& allocator_of(Device);
Allocator& cuda_allocator(int index);  // engine/cuda/allocator.cpp

// A block of memory, returned to its allocator by the destructor.
class Buffer {
 public:
  Buffer(Device device, int64_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  // Changes whenever somebody asks to write (Tensor::data and raw do so). A copy made from the
  // contents is valid as long as the version is the same.
  int64_t version() const { return version_.load(std::memory_order_relaxed); }
  void about_to_write() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Device device_;
  int64_t bytes_;
  void* data_;
  std::atomic<int64_t> version_ = 0;
};

}  // namespace engine
