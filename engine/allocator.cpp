#include "engine/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>

#include "engine/block_pool.h"
#include "engine/error.h"

namespace engine {
namespace {

int64_t round_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

#ifdef __SANITIZE_ADDRESS__

// Every request goes to the system, so that no access out of bounds is hidden.
class SystemMemory {
 public:
  void* take(int64_t bytes, MemoryStats& stats) {
    ++stats.system_allocations;
    return std::aligned_alloc(64, static_cast<size_t>(bytes));
  }
  void give_back(void* block, int64_t) { std::free(block); }
  void trim() {}
  int64_t cached_bytes() const { return 0; }
};

#else

// Large segments of address space. The system backs them page by page as they are first written
// to, so a segment costs what was used of it; best fit keeps that close to what tensors hold.
class SystemMemory {
 public:
  void* take(int64_t bytes, MemoryStats& stats) {
    char* block = pool_.take(bytes);
    if (block == nullptr && add_segment(bytes)) block = pool_.take(bytes);
    if (block == nullptr) return nullptr;
    auto& [begin, segment] = *std::prev(segments_.upper_bound(block));
    if (block + bytes > segment.touched) {
      // A whole huge page at least: the next request of a little more finds it there.
      segment.touched = std::min(begin + round_up(block + bytes - begin, kHugePage), segment.end);
      ++stats.system_allocations;
    }
    in_use_ += bytes;
    return block;
  }

  void give_back(void* block, int64_t bytes) {
    in_use_ -= bytes;
    pool_.give_back(static_cast<char*>(block));
  }

  // Gives the free ends of all segments back to the system.
  void trim() {
    for (auto& [begin, segment] : segments_) {
      char* tail = begin + round_up(pool_.free_tail(segment.end) - begin, kPage);
      if (tail >= segment.touched) continue;
      madvise(tail, static_cast<size_t>(segment.end - tail), MADV_DONTNEED);
      segment.touched = tail;
    }
  }

  int64_t cached_bytes() const {
    int64_t touched = 0;
    for (const auto& [begin, segment] : segments_) touched += segment.touched - begin;
    return touched - in_use_;
  }

 private:
  struct Segment {
    char* end;
    char* touched;  // no page from here on has been used
  };
  static constexpr int64_t kPage = 4096, kHugePage = int64_t{2} << 20, kLeast = int64_t{1} << 30;

  bool add_segment(int64_t bytes) {
    for (const int64_t size : {std::max(bytes, kLeast), round_up(bytes, kHugePage)}) {
      void* data = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (data == MAP_FAILED) continue;
      madvise(data, static_cast<size_t>(size), MADV_HUGEPAGE);  // a wish; fewer TLB misses
      char* begin = static_cast<char*>(data);
      segments_[begin] = {begin + size, begin};
      pool_.add_segment(begin, size);
      return true;
    }
    return false;
  }

  BlockPool pool_;
  int64_t in_use_ = 0;
  std::map<char*, Segment> segments_;
};

#endif

class CpuAllocator : public Allocator {
 public:
  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t size = rounded(bytes);
    void* data = memory_for(size).take(size, stats_);
    require(data != nullptr, "out of memory: asked for ", size, " bytes while tensors hold ",
            stats_.current_bytes, "; a smaller --batch-size or --image-size needs less");
    stats_.current_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    return data;
  }

  void release(void* data, int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    const int64_t size = rounded(bytes);
    stats_.current_bytes -= size;
    memory_for(size).give_back(data, size);
  }

  MemoryStats stats() const override {
    const std::lock_guard lock(mutex_);
    MemoryStats stats = stats_;
    stats.cached_bytes = small_.cached_bytes() + large_.cached_bytes();
    return stats;
  }

  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }

  void release_cache() override {
    const std::lock_guard lock(mutex_);
    small_.trim();
    large_.trim();
  }

 private:
  static int64_t rounded(int64_t bytes) { return round_up(std::max<int64_t>(bytes, 1), 64); }

  // Small tensors have segments of their own: a loss that outlives its step must not lie in the
  // middle of what the next step wants whole.
  SystemMemory& memory_for(int64_t size) { return size < kSmall ? small_ : large_; }
  static constexpr int64_t kSmall = 64 << 10;

  mutable std::mutex mutex_;
  SystemMemory small_, large_;
  MemoryStats stats_;
};

}  // namespace

Allocator& allocator_of(Device device) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return cuda_allocator(device.index);
  }
  require(device.type == Device::Type::cpu, "allocator: no memory manager for ", device);
  // Never destroyed: tensors in static storage may outlive any destructor order.
  static CpuAllocator& cpu = *new CpuAllocator;
  return cpu;
}

Buffer::Buffer(Device device, int64_t bytes)
    : device_(device), bytes_(bytes), data_(allocator_of(device).allocate(bytes)) {}

Buffer::~Buffer() { allocator_of(device_).release(data_, bytes_); }

}  // namespace engine
