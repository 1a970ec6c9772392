#include "pixpro/data/sources/packed.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/files/escaped.h"
#include "engine/files/input_file.h"
#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {
namespace {

static_assert(std::endian::native == std::endian::little,
              "packed files hold little-endian numbers");

constexpr std::string_view kBegin = "pixpro packed 1\n", kEnd = "pixpro pack end\n";
constexpr size_t kTrailer = sizeof(uint64_t) + 16;  // count and kEnd

using Numbers = std::vector<uint64_t>;

Numbers read_numbers(const PackIndex::Read& read, uint64_t offset, uint64_t count) {
  Numbers numbers(count);
  read(static_cast<int64_t>(offset), std::as_writable_bytes(std::span(numbers)));
  return numbers;
}

std::string read_text(const PackIndex::Read& read, uint64_t offset, uint64_t bytes) {
  std::string text(bytes, '\0');
  read(static_cast<int64_t>(offset), std::as_writable_bytes(std::span(text)));
  return text;
}

// Where element i of adjacent ones that end at `ends` begins and ends; the first begins at `begin`.
std::pair<uint64_t, uint64_t> part(const Numbers& ends, uint64_t begin, int64_t i) {
  const auto index = static_cast<size_t>(i);
  return {index == 0 ? begin : ends[index - 1], ends[index]};
}

PackIndex index_of(const engine::InputFile& file) {
  return PackIndex(file.size(),
                   [&](int64_t offset, std::span<std::byte> target) { file.read(offset, target); });
}

class PackedSource : public Source {
 public:
  explicit PackedSource(const std::filesystem::path& path)
      : path_(path), file_(std::make_shared<engine::InputFile>(path)), index_(index_of(*file_)) {}

  int64_t size() const override { return index_.size(); }
  std::string name(int64_t i) const override {
    return engine::escaped(path_.string() + "@/" + index_.name(i));
  }
  std::string path(int64_t i) const override { return index_.name(i); }
  int64_t bytes(int64_t i) const override { return index_.image(i).bytes; }

  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    const PackIndex::Extent image = index_.image(i);
    engine::require(image.bytes <= kMaxEncodedBytes, "the image has ", image.bytes,
                    " bytes, more than the ", kMaxEncodedBytes, " that are accepted");
    buffer.resize(static_cast<size_t>(image.bytes));
    try {
      file()->read(image.offset, std::as_writable_bytes(std::span(buffer)));
    } catch (const engine::ReadError&) {
      reopen();
      file()->read(image.offset, std::as_writable_bytes(std::span(buffer)));
    }
    return buffer;
  }

 private:
  std::shared_ptr<const engine::InputFile> file() const {
    const std::lock_guard lock(mutex_);
    return file_;
  }

  // A file that was put back, or a share that was mounted again, is another file to the system.
  void reopen() const {
    auto file = std::make_shared<engine::InputFile>(path_);
    if (!is_same(*file)) {
      throw engine::ReadError("it has changed: it has " + std::to_string(file->size()) +
                                  " bytes, and had " + std::to_string(file_bytes_) +
                                  " at the start",
                              ESTALE);
    }
    const std::lock_guard lock(mutex_);
    file_ = std::move(file);
  }

  bool is_same(const engine::InputFile& file) const {
    if (file.size() != file_bytes_) return false;
    try {
      return index_of(file) == index_;
    } catch (const engine::ReadError&) {
      throw;
    } catch (const engine::Error&) {
      return false;  // not a packed file any more
    }
  }

  const std::filesystem::path path_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const engine::InputFile> file_;  // guarded by mutex_
  const PackIndex index_;
  const int64_t file_bytes_ = file_->size();
};

}  // namespace

PackWriter::PackWriter(const std::filesystem::path& path) : file_(path), end_(kBegin.size()) {
  file_.write(std::as_bytes(std::span(kBegin)));
}

void PackWriter::add(std::string_view name, Bytes encoded) {
  file_.write(std::as_bytes(encoded));
  end_ += encoded.size();
  names_ += name;
  image_ends_.push_back(end_);
  name_ends_.push_back(names_.size());
}

void PackWriter::commit() {
  engine::require(size() > 0, "a packed file needs at least one image");
  file_.write(std::as_bytes(std::span(names_)));
  file_.write(std::as_bytes(std::span(image_ends_)));
  file_.write(std::as_bytes(std::span(name_ends_)));
  const uint64_t count = image_ends_.size();
  file_.write(std::as_bytes(std::span(&count, 1)));
  file_.write(std::as_bytes(std::span(kEnd)));
  file_.commit();
}

PackIndex::PackIndex(int64_t file_bytes, const Read& read) {
  const auto bytes = static_cast<uint64_t>(file_bytes);
  engine::require(bytes >= kBegin.size() + kTrailer && read_text(read, 0, kBegin.size()) == kBegin,
                  "not a file made by `pixpro pack`");
  engine::require(read_text(read, bytes - kEnd.size(), kEnd.size()) == kEnd,
                  "the packed file is cut short: its end is missing");
  const uint64_t count = read_numbers(read, bytes - kTrailer, 1)[0];
  const uint64_t room = bytes - kBegin.size() - kTrailer;
  engine::require(count >= 1 && count <= room / (2 * sizeof(uint64_t)), "the packed file claims ",
                  count, " images, which its ", bytes, " bytes cannot hold");
  const uint64_t index_at = bytes - kTrailer - 2 * sizeof(uint64_t) * count;
  image_ends_ = read_numbers(read, index_at, count);
  name_ends_ = read_numbers(read, index_at + sizeof(uint64_t) * count, count);
  const uint64_t images_end = image_ends_.back();
  engine::require(std::ranges::is_sorted(image_ends_) && std::ranges::is_sorted(name_ends_) &&
                      image_ends_.front() >= kBegin.size() && images_end <= index_at &&
                      name_ends_.back() == index_at - images_end,
                  "the packed file is damaged: its index does not describe adjacent images");
  names_ = read_text(read, images_end, index_at - images_end);
}

PackIndex::Extent PackIndex::image(int64_t i) const {
  const auto [begin, end] = part(image_ends_, kBegin.size(), i);
  return {static_cast<int64_t>(begin), static_cast<int64_t>(end - begin)};
}

std::string PackIndex::name(int64_t i) const {
  const auto [begin, end] = part(name_ends_, 0, i);
  return names_.substr(begin, end - begin);
}

std::unique_ptr<Source> open_packed(const std::filesystem::path& file) {
  try {
    return std::make_unique<PackedSource>(file);
  } catch (const engine::Error& error) {
    engine::fail("\"", engine::escaped(file.string()), "\": ", error.what());
  }
}

}  // namespace pixpro
