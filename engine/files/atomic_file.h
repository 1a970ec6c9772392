// Files that appear whole or not at all: whatever stops the writer (an exception, a crash, a full
// disk), the name holds either the old content or the new one, never half of it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace engine {

// Bytes go to a temporary file in the folder of `path`; commit() flushes it to disk and gives it
// its name. Every error is thrown as Error naming the path.
class AtomicFile {
 public:
  // Refuses a path that names something other than a regular file (a folder, /dev/null): renaming
  // would replace it. A symbolic link to a file is replaced, not followed.
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();  // removes the temporary file unless it was committed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();  // once, after the last write

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty once it has been renamed
  int descriptor_ = -1;
};

// The whole file in one call.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace engine
