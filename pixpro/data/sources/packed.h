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

#include <filesystem>
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

// Finds the images in a packed file.
class PackIndex {
 public:
  // Throws Error if the bytes are not a packed file, or a damaged or unfinished one. In an index
  // that is accepted, everything points inside the file.
  explicit PackIndex(Bytes file);

  int64_t size() const { return static_cast<int64_t>(image_ends_.size()); }
  Bytes image(int64_t i) const;
  std::string name(int64_t i) const;

 private:
  Bytes file_, names_;
  std::vector<uint64_t> image_ends_, name_ends_;
};

}  // namespace pixpro
