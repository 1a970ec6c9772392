// A file mapped into memory, read only.
#pragma once

#include <filesystem>

#include "pixpro/data/image.h"

namespace pixpro {

class MappedFile {
 public:
  // Throws Error, without the path, if the file cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Bytes bytes() const { return bytes_; }

  // Reads a part of bytes() from the disk at once. Throws Error if the disk fails. Without this
  // call, touching the bytes would then end the program.
  void bring_in(Bytes part) const;

 private:
  Bytes bytes_;
};

}  // namespace pixpro
