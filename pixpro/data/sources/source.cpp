#include "pixpro/data/sources/source.h"

#include <mutex>

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
    if (kept.empty()) kept.assign(found.begin(), found.end());
    return kept;
  }

 private:
  const std::unique_ptr<Source> source_;
  const int64_t rank_, ranks_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<std::vector<uint8_t>> kept_;
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
