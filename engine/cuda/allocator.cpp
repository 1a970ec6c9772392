// The CUDA allocator. Memory comes from the driver in large segments and goes back to it only when
// it runs out (or release_cache is called), so a training step in steady state calls neither
// cudaMalloc nor cudaFree, which would make host and device wait for each other.
//
// It is stream-ordered without knowing of streams: everything of a device runs on one stream (see
// context.h), so a block may be handed out again while kernels that read it are still queued. The
// kernels that write it next come behind them. Work on other streams must be joined with the
// compute stream before its tensors die.
#include "engine/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <map>
#include <mutex>
#include <string_view>

#include "engine/block_pool.h"
#include "engine/cuda/check.h"
#include "engine/cuda/device.h"
#include "engine/cuda/out_of_memory.h"

namespace engine {
namespace {

constexpr int64_t kAlignment = 512, kPage = int64_t{2} << 20, kLeastSegment = int64_t{128} << 20;

int64_t round_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// PIXPRO_CUDA_CACHE=off: every request goes to the driver, so that a memory checker sees the bounds
// and the end of every tensor.
bool caching() {
  const char* value = std::getenv("PIXPRO_CUDA_CACHE");
  return value == nullptr || std::string_view(value) != "off";
}

// Bytes as people read them.
struct Size {
  int64_t bytes;
  friend std::ostream& operator<<(std::ostream& out, Size size) {
    std::ostringstream text;  // leaves the format of `out` alone
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

class CudaAllocator : public Allocator {
 public:
  explicit CudaAllocator(int index) : index_(index) {}

  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t size = rounded(bytes);
    void* data = caching_ ? take(size) : take_from_driver(size);
    if (data == nullptr) fail_out_of_memory(size);
    stats_.current_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    return data;
  }

  void release(void* data, int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    stats_.current_bytes -= rounded(bytes);
    if (caching_) {
      pool_.give_back(static_cast<char*>(data));
    } else {
      cudaFreeAsync(data, compute_stream(index_));  // called from destructors: nothing may throw
    }
  }

  MemoryStats stats() const override {
    const std::lock_guard lock(mutex_);
    MemoryStats stats = stats_;
    stats.cached_bytes = held_bytes() - (caching_ ? stats.current_bytes : 0);
    stats.largest_cached = pool_.largest_free();
    return stats;
  }

  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }

  void release_cache() override {
    const std::lock_guard lock(mutex_);
    give_segments_back();
  }

 private:
  static int64_t rounded(int64_t bytes) {
    return round_up(std::max<int64_t>(bytes, 1), kAlignment);
  }

  void* take(int64_t bytes) {
    void* block = pool_.take(bytes);
    if (block == nullptr && add_segment(std::max(round_up(bytes, kPage), kLeastSegment))) {
      block = pool_.take(bytes);
    }
    if (block == nullptr && add_segment(round_up(bytes, kPage))) block = pool_.take(bytes);
    if (block != nullptr) return block;
    give_segments_back();
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
      cudaGetLastError();  // answered here
      return false;
    }
    check(status);
    ++stats_.system_allocations;
    return true;
  }

  // Frees every segment of which nothing is in use. cudaFree waits for the device by itself.
  void give_segments_back() {
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

  int64_t held_bytes() const {
    int64_t bytes = 0;
    for (const auto& [begin, size] : segments_) bytes += size;
    return bytes;
  }

  [[noreturn]] void fail_out_of_memory(int64_t asked) const {
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    std::ostringstream text;
    text << "out of memory on cuda:" << index_ << ": asked for " << Size{asked}
         << " while tensors hold " << Size{stats_.current_bytes} << ", "
         << Size{held_bytes() - (caching_ ? stats_.current_bytes : 0)}
         << " lie between them in pieces of at most " << Size{pool_.largest_free()} << " and "
         << Size{static_cast<int64_t>(free)} << " of the device's "
         << Size{static_cast<int64_t>(total)}
         << " are free; a smaller --batch-size or --image-size needs less";
    throw OutOfMemory(text.str());
  }

  const int index_;
  const bool caching_ = caching();
  mutable std::mutex mutex_;
  BlockPool pool_;
  std::map<char*, int64_t> segments_;  // bytes by address
  MemoryStats stats_;
};

}  // namespace

Allocator& cuda_allocator(int index) {
  static std::mutex mutex;
  // Never destroyed: tensors in static storage may outlive any destructor order.
  static std::map<int, CudaAllocator>& all = *new std::map<int, CudaAllocator>;
  const std::lock_guard lock(mutex);
  return all.try_emplace(index, index).first->second;
}

}  // namespace engine
