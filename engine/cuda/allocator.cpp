// The memory of CUDA devices. It comes from the driver in large segments and is returned only when
// memory runs out or release_cache() is called, so a training step in steady state calls neither
// cudaMalloc nor cudaFree, which would make host and device wait for each other.
//
// A block may be reused while kernels that read it are still queued: all work of a device runs on
// one stream (see context.h), so the kernels that write it next run after them. Work on any other
// stream must be joined with the compute stream before its tensors are freed.
#include "engine/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <map>
#include <mutex>
#include <string_view>

#include "engine/arithmetic.h"
#include "engine/block_pool.h"
#include "engine/caching_allocator.h"
#include "engine/cuda/check.h"
#include "engine/cuda/device.h"
#include "engine/cuda/out_of_memory.h"

namespace engine {
namespace {

// PIXPRO_CUDA_CACHE=off passes every request to the driver, so that a memory checker sees the
// bounds and the lifetime of every tensor.
bool is_caching() {
  const char* value = std::getenv("PIXPRO_CUDA_CACHE");
  return value == nullptr || std::string_view(value) != "off";
}

// Prints bytes as KiB, MiB or GiB.
struct Size {
  int64_t bytes;
  friend std::ostream& operator<<(std::ostream& out, Size size) {
    std::ostringstream text;  // leaves the format of `out` as it is
    text << std::fixed << std::setprecision(1);
    if (size.bytes < int64_t{10} << 20) {
      text << static_cast<double>(size.bytes) / (1 << 10) << " KiB";
    } else if (size.bytes < int64_t{10} << 30) {
      text << static_cast<double>(size.bytes) / (1 << 20) << " MiB";
    } else {
      text << static_cast<double>(size.bytes) / (1 << 30) << " GiB";
    }
    return out << text.str();
  }
};

class CudaMemory {
 public:
  static constexpr int64_t kAlignment = 512;

  explicit CudaMemory(int index) : index_(index) {}

  void* take(int64_t bytes) {
    if (!caching_) return take_from_driver(bytes);
    void* block = take_from_pool(bytes);
    if (block != nullptr) in_use_ += bytes;
    return block;
  }

  void give_back(void* block, int64_t bytes) {
    if (caching_) {
      in_use_ -= bytes;
      pool_.give_back(static_cast<char*>(block));
    } else {
      cudaFreeAsync(block, compute_stream(index_));  // called by destructors: must not throw
    }
  }

  // Frees every segment of which no block is in use. cudaFree itself waits for the device.
  void trim() {
    use_cuda_device(index_);
    for (auto segment = segments_.begin(); segment != segments_.end();) {
      const auto [begin, bytes] = *segment;
      if (!pool_.remove_segment(begin, bytes)) {
        ++segment;
        continue;
      }
      segment = segments_.erase(segment);
      check(cudaFree(begin));
    }
  }

  void report(MemoryStats& stats) const {
    stats.cached_bytes = cached_bytes();
    stats.largest_cached = pool_.largest_free();
    stats.system_allocations = system_allocations_;
  }

  [[noreturn]] void fail_out_of_memory(int64_t asked, int64_t held) const {
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    std::ostringstream text;
    text << "out of memory on cuda:" << index_ << ": asked for " << Size{asked}
         << " while tensors hold " << Size{held} << ", the cache holds " << Size{cached_bytes()}
         << " in blocks of at most " << Size{pool_.largest_free()} << " and "
         << Size{static_cast<int64_t>(free)} << " of the device's "
         << Size{static_cast<int64_t>(total)}
         << " are free; a smaller --batch-size or --image-size needs less";
    throw OutOfMemory(text.str());
  }

 private:
  static constexpr int64_t kPage = int64_t{2} << 20, kLeastSegment = int64_t{128} << 20;

  void* take_from_pool(int64_t bytes) {
    void* block = pool_.take(bytes);
    if (block == nullptr && add_segment(std::max(round_up(bytes, kPage), kLeastSegment))) {
      block = pool_.take(bytes);
    }
    if (block == nullptr && add_segment(round_up(bytes, kPage))) block = pool_.take(bytes);
    if (block != nullptr) return block;
    trim();
    return add_segment(round_up(bytes, kPage)) ? pool_.take(bytes) : nullptr;
  }

  void* take_from_driver(int64_t bytes) {
    void* data = nullptr;
    use_cuda_device(index_);
    const cudaError_t status =
        cudaMallocAsync(&data, static_cast<size_t>(bytes), compute_stream(index_));
    return got_memory(status) ? data : nullptr;
  }

  bool add_segment(int64_t bytes) {
    void* data = nullptr;
    use_cuda_device(index_);
    if (!got_memory(cudaMalloc(&data, static_cast<size_t>(bytes)))) return false;
    pool_.add_segment(static_cast<char*>(data), bytes);
    segments_[static_cast<char*>(data)] = bytes;
    return true;
  }

  bool got_memory(cudaError_t status) {
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // handled: later checks must not see it
      return false;
    }
    check(status);
    ++system_allocations_;
    return true;
  }

  // 0 without caching: then there are no segments and in_use_ stays 0.
  int64_t cached_bytes() const {
    int64_t bytes = 0;
    for (const auto& [begin, size] : segments_) bytes += size;
    return bytes - in_use_;
  }

  const int index_;
  const bool caching_ = is_caching();
  BlockPool pool_;
  std::map<char*, int64_t> segments_;  // bytes by address
  int64_t in_use_ = 0;                 // bytes of the pool's blocks
  int64_t system_allocations_ = 0;
};

}  // namespace

Allocator& cuda_allocator(int index) {
  static std::mutex mutex;
  // Never destroyed, because tensors in static storage may be destroyed after it.
  static auto& all = *new std::map<int, CachingAllocator<CudaMemory>>;
  const std::lock_guard lock(mutex);
  return all.try_emplace(index, index).first->second;
}

}  // namespace engine
