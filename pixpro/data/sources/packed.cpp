#include "pixpro/data/sources/packed.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/error.h"
#include "engine/files/escaped.h"
#include "pixpro/data/sources/mapped_file.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {
namespace {

static_assert(std::endian::native == std::endian::little,
              "packed files hold little-endian numbers");

constexpr std::string_view kBegin = "pixpro packed 1\n", kEnd = "pixpro pack end\n";
constexpr size_t kTrailer = sizeof(uint64_t) + 16;  // count and kEnd

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `count` adjacent numbers.
std::vector<uint64_t> numbers_at(const uint8_t* bytes, uint64_t count) {
  std::vector<uint64_t> numbers(count);
  std::memcpy(numbers.data(), bytes, count * sizeof(uint64_t));
  return numbers;
}

// Element i of adjacent ones that end at `ends`; the first begins at `begin`.
Bytes part(Bytes whole, const std::vector<uint64_t>& ends, uint64_t begin, int64_t i) {
  const auto index = static_cast<size_t>(i);
  const uint64_t from = index == 0 ? begin : ends[index - 1];
  return whole.subspan(from, ends[index] - from);
}

class PackedSource : public Source {
 public:
  explicit PackedSource(const std::filesystem::path& path)
      : path_(path), file_(path), index_(file_.bytes()) {}

  int64_t size() const override { return index_.size(); }
  std::string name(int64_t i) const override {
    return engine::escaped(path_.string() + "@/" + index_.name(i));
  }
  std::string path(int64_t i) const override { return index_.name(i); }
  int64_t bytes(int64_t i) const override { return static_cast<int64_t>(index_.image(i).size()); }
  Bytes read(int64_t i, std::vector<uint8_t>&) const override {
    const Bytes image = index_.image(i);
    file_.bring_in(image);
    return image;
  }

 private:
  const std::filesystem::path path_;
  const MappedFile file_;
  const PackIndex index_;
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

PackIndex::PackIndex(Bytes file) : file_(file) {
  engine::require(
      file.size() >= kBegin.size() + kTrailer && as_text(file.first(kBegin.size())) == kBegin,
      "not a file made by `pixpro pack`");
  engine::require(as_text(file.last(kEnd.size())) == kEnd,
                  "the packed file is cut short: its end is missing");
  const uint64_t count = numbers_at(file.last(kTrailer).data(), 1)[0];
  const uint64_t room = file.size() - kBegin.size() - kTrailer;
  engine::require(count >= 1 && count <= room / (2 * sizeof(uint64_t)), "the packed file claims ",
                  count, " images, which its ", file.size(), " bytes cannot hold");
  const uint64_t index_at = file.size() - kTrailer - 2 * sizeof(uint64_t) * count;
  image_ends_ = numbers_at(file.data() + index_at, count);
  name_ends_ = numbers_at(file.data() + index_at + sizeof(uint64_t) * count, count);
  const uint64_t images_end = image_ends_.back();
  engine::require(std::ranges::is_sorted(image_ends_) && std::ranges::is_sorted(name_ends_) &&
                      image_ends_.front() >= kBegin.size() && images_end <= index_at &&
                      name_ends_.back() == index_at - images_end,
                  "the packed file is damaged: its index does not describe adjacent images");
  names_ = file.subspan(images_end, index_at - images_end);
}

Bytes PackIndex::image(int64_t i) const { return part(file_, image_ends_, kBegin.size(), i); }

std::string PackIndex::name(int64_t i) const {
  return std::string(as_text(part(names_, name_ends_, 0, i)));
}

std::unique_ptr<Source> open_packed(const std::filesystem::path& file) {
  try {
    return std::make_unique<PackedSource>(file);
  } catch (const engine::Error& error) {
    engine::fail("\"", engine::escaped(file.string()), "\": ", error.what());
  }
}

}  // namespace pixpro
