// Memory for tensors. Freed blocks are kept, joined with their neighbours and handed out again, so
// that a training step in steady state allocates nothing from the system.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/device.h"

namespace engine {

struct MemoryStats {
  int64_t current_bytes = 0;       // held by tensors now
  int64_t peak_bytes = 0;          // the most ever held (since reset_peak)
  int64_t cached_bytes = 0;        // freed, kept for the next request
  int64_t largest_cached = 0;      // bytes of the largest piece of those; CUDA only
  int64_t system_allocations = 0;  // how often fresh memory of the system was needed
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  // At least `bytes` bytes at a multiple of 64. Throws Error naming the request when out of memory.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* data, int64_t bytes) = 0;
  virtual MemoryStats stats() const = 0;
  virtual void reset_peak() = 0;
  virtual void release_cache() = 0;  // gives cached memory back to the system where it can
};

// The one allocator of a device; safe to use from any thread; lives as long as the program. Under
// AddressSanitizer the CPU's caches nothing, so that no out-of-bounds access is hidden.
Allocator& allocator_of(Device);
Allocator& cuda_allocator(int index);  // engine/cuda/allocator.cpp

// A block of memory that returns to its allocator.
class Buffer {
 public:
  Buffer(Device device, int64_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  // Changes whenever somebody has asked to write (Tensor::data and raw do so): a copy made from
  // the contents at one version holds as long as the version stays.
  int64_t version() const { return version_.load(std::memory_order_relaxed); }
  void about_to_write() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Device device_;
  int64_t bytes_;
  void* data_;
  std::atomic<int64_t> version_ = 0;
};

}  // namespace engine
