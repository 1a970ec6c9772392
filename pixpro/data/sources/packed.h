// Many encoded images in one file. Reading an image is then one request to the disk; there is no
// folder to search and no file to open, which are slow on network disks.
//
//   16 bytes              "pixpro packed 1\n"
//   the images            without gaps
//   their names           without gaps
//   count integers        where each image ends, as an offset in the file
//   count integers        where each name ends, as an offset from the first name
//   integer, 16 bytes     count, "pixpro pack end\n"
//
// Integers are unsigned, of 64 bits, little-endian.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/files/atomic_file.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Writes such a file. It appears under its name only when commit() has been called.
class PackWriter {
 public:
  explicit PackWriter(const std::filesystem::path& path);
  void add(std::string_view name, Bytes encoded);
  void commit();  // call once, after the last image

  int64_t size() const { return static_cast<int64_t>(image_ends_.size()); }
  int64_t bytes() const { return static_cast<int64_t>(end_); }

 private:
  engine::AtomicFile file_;
  uint64_t end_;
  std::vector<uint64_t> image_ends_, name_ends_;
  std::string names_;
};

// Finds the images in a packed file. Keeps a copy of the file's index, so that the file need not be
// readable any more.
class PackIndex {
 public:
  // Fills the bytes from an offset of the file on.
  using Read = std::function<void(int64_t offset, std::span<std::byte> target)>;

  // Throws Error if the file is not a packed file, or a damaged or unfinished one. In an index that
  // is accepted, everything points inside the file.
  PackIndex(int64_t file_bytes, const Read& read);
  bool operator==(const PackIndex&) const = default;

  int64_t size() const { return static_cast<int64_t>(image_ends_.size()); }
  std::string name(int64_t i) const;

  struct Extent {
    int64_t offset, bytes;
  };
  Extent image(int64_t i) const;

 private:
  std::vector<uint64_t> image_ends_, name_ends_;
  std::string names_;
};

}  // namespace pixpro
