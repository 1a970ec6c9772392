#include "engine/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>

#include "engine/arithmetic.h"
#include "engine/block_pool.h"
#include "engine/caching_allocator.h"
#include "engine/error.h"

namespace engine {
namespace {

// What both sources of memory below have in common.
struct HostMemory {
  static constexpr int64_t kAlignment = 64;

  [[noreturn]] void fail_out_of_memory(int64_t asked, int64_t held) const {
    fail("out of memory: asked for ", asked, " bytes while tensors hold ", held,
         "; a smaller --batch-size or --image-size needs less");
  }
};

#ifdef __SANITIZE_ADDRESS__

// Passes every request to the system, so that no out-of-bounds access is hidden.
class SystemMemory : public HostMemory {
 public:
  void* take(int64_t bytes) {
    ++system_allocations_;
    return std::aligned_alloc(kAlignment, static_cast<size_t>(bytes));
  }
  void give_back(void* block, int64_t) { std::free(block); }
  void trim() {}
  void report(MemoryStats& stats) const { stats.system_allocations = system_allocations_; }

 private:
  int64_t system_allocations_ = 0;
};

#else

// Blocks cut from large segments of address space. The system backs a segment page by page as it is
// first written to, so a segment costs only what was used of it; best fit keeps that close to what
// tensors hold.
class SystemPool {
 public:
  void* take(int64_t bytes) {
    char* block = pool_.take(bytes);
    if (block == nullptr && add_segment(bytes)) block = pool_.take(bytes);
    if (block == nullptr) return nullptr;
    auto& [begin, segment] = *std::prev(segments_.upper_bound(block));
    if (block + bytes > segment.touched) {
      // The system backs whole huge pages, so a slightly larger request needs nothing from it.
      segment.touched = std::min(begin + round_up(block + bytes - begin, kHugePage), segment.end);
      ++system_allocations_;
    }
    in_use_ += bytes;
    return block;
  }

  void give_back(void* block, int64_t bytes) {
    in_use_ -= bytes;
    pool_.give_back(static_cast<char*>(block));
  }

  // Returns the free ends of all segments to the system.
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
  int64_t system_allocations() const { return system_allocations_; }

 private:
  struct Segment {
    char* end;
    char* touched;  // pages from here on have never been used
  };
  static constexpr int64_t kPage = 4096, kHugePage = int64_t{2} << 20;
  static constexpr int64_t kLeastSegment = int64_t{1} << 30;

  bool add_segment(int64_t bytes) {
    for (const int64_t size : {std::max(bytes, kLeastSegment), round_up(bytes, kHugePage)}) {
      void* data = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (data == MAP_FAILED) continue;
      madvise(data, static_cast<size_t>(size), MADV_HUGEPAGE);  // a hint: fewer TLB misses
      char* begin = static_cast<char*>(data);
      segments_[begin] = {begin + size, begin};
      pool_.add_segment(begin, size);
      return true;
    }
    return false;
  }

  BlockPool pool_;
  int64_t in_use_ = 0, system_allocations_ = 0;
  std::map<char*, Segment> segments_;
};

class SystemMemory : public HostMemory {
 public:
  void* take(int64_t bytes) { return pool_for(bytes).take(bytes); }
  void give_back(void* block, int64_t bytes) { pool_for(bytes).give_back(block, bytes); }
  void trim() {
    small_.trim();
    large_.trim();
  }
  void report(MemoryStats& stats) const {
    stats.cached_bytes = small_.cached_bytes() + large_.cached_bytes();
    stats.system_allocations = small_.system_allocations() + large_.system_allocations();
  }

 private:
  // Small tensors have segments of their own: a loss that outlives its step must not split the
  // memory that the next step needs in one piece.
  SystemPool& pool_for(int64_t bytes) { return bytes < kSmall ? small_ : large_; }
  static constexpr int64_t kSmall = 64 << 10;

  SystemPool small_, large_;
};

#endif

}  // namespace

Allocator& allocator_of(Device device) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return cuda_allocator(device.index);
  }
  require(device.type == Device::Type::cpu,
          "allocator: expected cpu, as this build has no CUDA, found ", device);
  // Never destroyed, because tensors in static storage may be destroyed after it.
  static Allocator& cpu = *new CachingAllocator<SystemMemory>;
  return cpu;
}

Buffer::Buffer(Device device, int64_t bytes)
    : device_(device), bytes_(bytes), data_(allocator_of(device).allocate(bytes)) {}

Buffer::~Buffer() { allocator_of(device_).release(data_, bytes_); }

}  // namespace engine
