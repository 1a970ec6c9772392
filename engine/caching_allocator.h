// The allocators of all devices: one lock, rounding of sizes and statistics around a source of
// memory, which keeps freed blocks in its own way.
#pragma once

#include <algorithm>
#include <concepts>
#include <mutex>

#include "engine/allocator.h"
#include "engine/arithmetic.h"

namespace engine {

// Where the memory of a device comes from. Used by one thread at a time, with sizes that are
// multiples of kAlignment.
template <class S>
concept MemorySource = requires(S& source, const S& unchanged, int64_t bytes, void* block,
                                MemoryStats& stats) {
  { S::kAlignment } -> std::convertible_to<int64_t>;     // of every block, in bytes
  { source.take(bytes) } -> std::convertible_to<void*>;  // null if there is not enough memory
  source.give_back(block, bytes);  // with the bytes it was taken for; does not throw
  source.trim();                   // returns free memory to the system where it can
  unchanged.report(stats);         // fills in the cache's numbers and system_allocations
  unchanged.fail_out_of_memory(bytes, bytes);  // asked for, held by tensors: throws Error
};

template <MemorySource Source>
class CachingAllocator : public Allocator {
 public:
  template <class... Args>
  explicit CachingAllocator(Args... args) : source_(args...) {}

  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t size = rounded(bytes);
    void* data = source_.take(size);
    if (data == nullptr) source_.fail_out_of_memory(size, current_bytes_);
    current_bytes_ += size;
    peak_bytes_ = std::max(peak_bytes_, current_bytes_);
    return data;
  }

  void release(void* data, int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t size = rounded(bytes);
    current_bytes_ -= size;
    source_.give_back(data, size);
  }

  MemoryStats stats() const override {
    const std::lock_guard lock(mutex_);
    MemoryStats stats{.current_bytes = current_bytes_, .peak_bytes = peak_bytes_};
    source_.report(stats);
    return stats;
  }

  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    peak_bytes_ = current_bytes_;
  }

  void release_cache() override {
    const std::lock_guard lock(mutex_);
    source_.trim();
  }

 private:
  static int64_t rounded(int64_t bytes) {
    return round_up(std::max<int64_t>(bytes, 1), Source::kAlignment);
  }

  mutable std::mutex mutex_;
  Source source_;
  int64_t current_bytes_ = 0, peak_bytes_ = 0;
};

}  // namespace engine
