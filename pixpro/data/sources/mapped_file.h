// A file seen as memory.
#pragma once

#include <filesystem>

#include "pixpro/data/image.h"

namespace pixpro {

class MappedFile {
 public:
  // Throws Error, without the path, where it cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Bytes bytes() const { return bytes_; }

  // Reads a part of bytes() from the disk, all of it at once. Throws Error where the disk fails;
  // without this call touching the bytes would then end the program.
  void bring_in(Bytes part) const;

 private:
  Bytes bytes_;
};

}  // namespace pixpro
