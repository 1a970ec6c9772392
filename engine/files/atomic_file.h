// Files that are replaced as a whole or not at all. If the writer is stopped (by an exception, a
// crash or a full disk), the file has either its old content or the new one, never a part of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "engine/files/temporary.h"

namespace engine {

// Writes to a temporary file in the folder of `path`; commit() flushes it to disk and renames it.
// The temporary file's name begins with a dot and names this process (see process.h).
// All errors are thrown as Error and name the path.
class AtomicFile {
 public:
  // Refuses a path that names anything but a regular file (a folder, /dev/null), because renaming
  // would replace it. A symbolic link to a file is replaced, not followed.
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();  // removes the temporary file unless it was committed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();  // once, after the last write

 private:
  std::filesystem::path path_;
  std::optional<Temporary> temporary_;
  int descriptor_ = -1;
};

// Writes the whole file in one call.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// Removes the temporary files that killed processes have left behind when they wrote to `path`.
// Those of running processes stay. If it cannot be known whether a process is running, its file is
// removed if it has not changed for `unknown_for`. Files that cannot be removed stay, too.
void remove_leftovers(const std::filesystem::path& path, std::chrono::seconds unknown_for);

}  // namespace engine
