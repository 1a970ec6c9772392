#include "pixpro/data/sources/source.h"

#include <memory>
#include <mutex>
#include <new>

#include "engine/cpu/memory_limits.h"
#include "engine/error.h"

namespace pixpro {
namespace {

class CachedSource : public Source {
 public:
  CachedSource(std::unique_ptr<Source> source, int64_t rank, int64_t ranks)
      : source_(std::move(source)),
        rank_(rank),
        ranks_(ranks),
        kept_(static_cast<size_t>(source_->size())) {}

  int64_t size() const override { return source_->size(); }
  std::string name(int64_t i) const override { return source_->name(i); }
  std::string path(int64_t i) const override { return source_->path(i); }
  int64_t bytes(int64_t i) const override { return source_->bytes(i); }
  Skipped skipped() const override { return source_->skipped(); }

  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    if (i % ranks_ != rank_) return source_->read(i, buffer);
    std::vector<uint8_t>& kept = kept_[static_cast<size_t>(i)];
    {
      const std::lock_guard lock(mutex_);
      if (!kept.empty()) return kept;  // filled once, never changed again
    }
    const Bytes found = source_->read(i, buffer);
    const std::lock_guard lock(mutex_);
    if (kept.empty()) keep(found, kept);
    return kept.empty() ? found : Bytes(kept);
  }

 private:
  // The cache gives way: once memory is short it stays as it is, and leaves room to the others.
  void keep(Bytes found, std::vector<uint8_t>& kept) const {
    if (is_full_) return;
    try {
      kept.assign(found.begin(), found.end());
      kept_bytes_ += static_cast<int64_t>(found.size());
      is_full_ = kept_bytes_ >= checked_at_ && !has_room();
    } catch (const std::bad_alloc&) {
      is_full_ = true;
      reserve_.reset();
    }
  }

  // Looks at the machine once per kCheckEvery bytes.
  bool has_room() const {
    checked_at_ = kept_bytes_ + kCheckEvery;
    const engine::MemoryLimits memory = engine::memory_limits();
    return memory.available > memory.total / kRoom;
  }

  static constexpr int64_t kCheckEvery = int64_t{64} << 20;
  static constexpr int64_t kReserve = int64_t{128} << 20;
  static constexpr int64_t kRoom = 16;  // the part of all memory that the cache leaves alone

  const std::unique_ptr<Source> source_;
  const int64_t rank_, ranks_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<std::vector<uint8_t>> kept_;
  mutable int64_t kept_bytes_ = 0, checked_at_ = kCheckEvery;
  mutable bool is_full_ = false;
  // Address space for the others if a limit on it ends the cache. It is never touched.
  mutable std::unique_ptr<uint8_t[]> reserve_{new (std::nothrow) uint8_t[kReserve]};
};

}  // namespace

std::unique_ptr<Source> open_source(const std::filesystem::path& path, bool zip,
                                    const Selection& selection) {
  if (zip) return open_zip(path, selection);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return open_folder(path, selection);
  engine::require(selection.exclude.empty(),
                  "images cannot be excluded from a packed file: exclude them when it is packed");
  return open_packed(path);
}

std::unique_ptr<Source> with_cache(std::unique_ptr<Source> source, CacheMode mode, int64_t rank,
                                   int64_t ranks) {
  if (mode == CacheMode::no) return source;
  const bool full = mode == CacheMode::full;
  return std::make_unique<CachedSource>(std::move(source), full ? 0 : rank, full ? 1 : ranks);
}

}  // namespace pixpro
