// Many encoded pictures in one file: reading a picture is one request to the disk, without a folder
// to search or a file to open, which is what network disks are slow at.
//
//   16 bytes              "pixpro packed 1\n"
//   the pictures          one behind the other
//   their names           one behind the other
//   count x 2 integers    for every picture where it ends (in the file), where its name ends (from
//                         the first name on)
//   integer, 16 bytes     count, "pixpro pack end\n"
//
// Integers are unsigned, 64 bits, little-endian.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/files/atomic_file.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Writes such a file so that its name never holds half of one.
class PackWriter {
 public:
  explicit PackWriter(const std::filesystem::path& path);
  void add(std::string_view name, Bytes encoded);
  void commit();  // once, after the last picture

  int64_t size() const { return static_cast<int64_t>(image_ends_.size()); }
  int64_t bytes() const { return static_cast<int64_t>(end_); }

 private:
  engine::AtomicFile file_;
  uint64_t end_;
  std::vector<uint64_t> image_ends_, name_ends_;
  std::string names_;
};

// Where the pictures of a packed file lie.
class PackIndex {
 public:
  // Throws Error where the bytes are no packed file, a damaged or an unfinished one. Nothing that
  // passes points outside of them.
  explicit PackIndex(Bytes file);

  int64_t size() const { return static_cast<int64_t>(image_ends_.size()); }
  Bytes image(int64_t i) const;
  std::string name(int64_t i) const;

 private:
  Bytes file_, names_;
  std::vector<uint64_t> image_ends_, name_ends_;
};

}  // namespace pixpro
