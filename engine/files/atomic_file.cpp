#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "engine/error.h"
#include "engine/files/process.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_to_write(const fs::path& path, int error) {
  fail("cannot write '", path.string(), "': ", std::generic_category().message(error));
}

constexpr std::string_view kEnding = ".tmp";

// What the names of all temporary files for `path` begin with. The target's name is shortened to
// keep them within the limit for file names.
std::string temporary_prefix(const fs::path& path) {
  return "." + path.filename().string().substr(0, 120) + ".";
}

// Hidden and unique among the processes of all machines and their threads: ".NAME.PROCESS.N.tmp".
// Processes are told apart less well without /proc, so the file is also opened exclusively.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> count = 0;
  return path.parent_path() / (temporary_prefix(path) + text_of(this_process()) + "." +
                               std::to_string(count++) + std::string(kEnding));
}

// The process in a name that temporary_name gave.
std::optional<ProcessId> maker_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || !name.ends_with(kEnding)) return std::nullopt;
  name.remove_prefix(prefix.size());
  name.remove_suffix(std::min(kEnding.size(), name.size()));
  return parse_process(name.substr(0, name.rfind('.')));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// A new name is safe only once its folder has reached the disk too. Some file systems cannot flush
// a folder (EINVAL); nothing more can be done on them.
void flush_folder(const fs::path& path) {
  const int descriptor = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
  fs::path temporary;
  do {
    temporary = temporary_name(path);
    descriptor_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail_to_write(path_, errno);
  temporary_.emplace(temporary);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
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
  if (std::rename(temporary_->path().c_str(), path_.c_str()) != 0) fail_to_write(path_, errno);
  temporary_->keep();
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

void remove_leftovers(const fs::path& path, std::chrono::seconds unknown_for) {
  const std::string prefix = temporary_prefix(path);
  std::error_code ignored;
  for (fs::directory_iterator file(folder_of(path), ignored), end; file != end;
       file.increment(ignored)) {
    const std::optional<ProcessId> maker = maker_of(file->path().filename().string(), prefix);
    if (!maker) continue;
    const std::optional<bool> running = is_running(*maker);
    const auto unchanged = fs::file_time_type::clock::now() - file->last_write_time(ignored);
    if (!running.value_or(unchanged < unknown_for)) fs::remove(file->path(), ignored);
  }
}

}  // namespace engine
