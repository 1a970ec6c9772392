// Reads files at any offset. What storage refuses is a ReadError: it may pass, unlike damage in
// what has been read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "engine/error.h"

namespace engine {

// A file or a part of it cannot be read now: it is missing, its disk or network fails, or the
// process has too many open files.
class ReadError : public Error {
 public:
  ReadError(const std::string& message, int code) : Error(message), code_(code) {}
  int code() const { return code_; }  // errno; EIO for a file that has become shorter

 private:
  int code_;
};

// Many threads may read the same InputFile.
class InputFile {
 public:
  // Throws ReadError if the file cannot be opened. Throws Error if it is not a regular file
  // (reading a pipe might never end) or can never be opened under this name. Messages do not have
  // the path.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int64_t size() const { return size_; }  // bytes, when it was opened

  // Fills `target` from `offset` on. Throws ReadError if that fails, or if the file has another
  // size than when it was opened: somebody is writing it.
  void read(int64_t offset, std::span<std::byte> target) const;

 private:
  int descriptor_;
  int64_t size_ = 0;
};

}  // namespace engine
