#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_to_write(const fs::path& path, int error) {
  fail("cannot write '", path.string(), "': ", std::generic_category().message(error));
}

// Hidden and unique among the processes of a machine and their threads. Two machines that share a
// disk may still choose the same name, so the file is also opened exclusively. The target's name is
// shortened to keep the result within the limit for file names.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> count = 0;
  const std::string name = path.filename().string().substr(0, 200);
  return path.parent_path() /
         ("." + name + "." + std::to_string(getpid()) + "." + std::to_string(count++) + ".tmp");
}

// A new name is safe only once its folder has reached the disk too. Some file systems cannot flush
// a folder (EINVAL); nothing more can be done on them.
void flush_folder(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_to_write(path, errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  if (error != 0 && error != EINVAL) fail_to_write(path, error);
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  std::error_code ignored;  // if this fails, open() fails as well and says why
  const fs::file_status status = fs::status(path, ignored);
  require(!fs::exists(status) || fs::is_regular_file(status), "cannot write '", path.string(),
          "': it exists and is ", fs::is_directory(status) ? "a folder" : "not a regular file");
  do {
    temporary_ = temporary_name(path);
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail_to_write(path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to_write(path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail_to_write(path_, errno);
  // Network file systems may report a full disk only here.
  if (close(std::exchange(descriptor_, -1)) != 0) fail_to_write(path_, errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to_write(path_, errno);
  temporary_.clear();
  flush_folder(path_);
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace engine
