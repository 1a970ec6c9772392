#include "engine/allocator.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "engine/error.h"

namespace engine {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif

// Keeps freed blocks in one list a size. A training step asks for the same sizes again and again,
// so exact sizes (rounded to a page, small ones to 64 bytes) waste nothing and always fit.
class CpuAllocator : public Allocator {
 public:
  void* allocate(int64_t bytes) override {
    const int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    void* data = take_cached(size);
    if (data == nullptr) data = ask_system(size);
    stats_.current_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    return data;
  }

  void release(void* data, int64_t bytes) override {
    const int64_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    stats_.current_bytes -= size;
    if (!kCaching) {
      std::free(data);
      return;
    }
    free_[size].push_back(data);
    stats_.cached_bytes += size;
  }

  MemoryStats stats() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }

  void release_cache() override {
    const std::lock_guard lock(mutex_);
    drop_cache();
  }

 private:
  static int64_t rounded(int64_t bytes) {
    const int64_t unit = bytes < 4096 ? 64 : 4096;
    return (std::max<int64_t>(bytes, 1) + unit - 1) / unit * unit;
  }

  void* take_cached(int64_t size) {
    const auto found = free_.find(size);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* data = found->second.back();
    found->second.pop_back();
    stats_.cached_bytes -= size;
    return data;
  }

  void* ask_system(int64_t size) {
    void* data = std::aligned_alloc(64, static_cast<size_t>(size));
    if (data == nullptr) {
      drop_cache();
      data = std::aligned_alloc(64, static_cast<size_t>(size));
    }
    require(data != nullptr, "out of memory: asked for ", size, " bytes while tensors hold ",
            stats_.current_bytes, "; a smaller --batch-size or --image-size needs less");
    ++stats_.system_allocations;
    return data;
  }

  void drop_cache() {
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) std::free(block);
    }
    free_.clear();
    stats_.cached_bytes = 0;
  }

  mutable std::mutex mutex_;
  std::map<int64_t, std::vector<void*>> free_;
  MemoryStats stats_;
};

}  // namespace

Allocator& allocator_of(Device device) {
  require(device.type == Device::Type::cpu, "allocator: no memory manager for ", device);
  // Never destroyed: tensors in static storage may outlive any destructor order.
  static CpuAllocator& cpu = *new CpuAllocator;
  return cpu;
}

Buffer::Buffer(Device device, int64_t bytes)
    : device_(device), bytes_(bytes), data_(allocator_of(device).allocate(bytes)) {}

Buffer::~Buffer() { allocator_of(device_).release(data_, bytes_); }

}  // namespace engine
