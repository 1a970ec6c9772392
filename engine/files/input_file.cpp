#include "engine/files/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace engine {
namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

// O_NONBLOCK: opening a named pipe must not wait for its writer.
int open_to_read(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  const int error = errno;
  const std::string message = "cannot open it: " + text_of(error);
  // A link to itself, a name that is too long, a socket: this does not pass.
  if (error == ELOOP || error == ENAMETOOLONG || error == ENXIO) throw Error(message);
  throw ReadError(message, error);
}

}  // namespace

InputFile::InputFile(const std::filesystem::path& path) : descriptor_(open_to_read(path)) {
  struct stat status {};
  const int error = fstat(descriptor_, &status) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(status.st_mode)) {
    size_ = status.st_size;
    return;
  }
  close(descriptor_);
  if (error != 0) throw ReadError("cannot look at it: " + text_of(error), error);
  fail(S_ISDIR(status.st_mode) ? "it is a folder, expected a file" : "it is not a regular file");
}

InputFile::~InputFile() { close(descriptor_); }

void InputFile::read(int64_t offset, std::span<std::byte> target) const {
  while (!target.empty()) {
    const ssize_t count = pread(descriptor_, target.data(), target.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw ReadError("cannot read it: " + text_of(errno), errno);
    if (count == 0) {
      throw ReadError(
          "it ends after " + std::to_string(offset) + " bytes: it was shortened while being read",
          EIO);
    }
    target = target.subspan(static_cast<size_t>(count));
    offset += count;
  }
  struct stat status {};
  if (fstat(descriptor_, &status) == 0 && status.st_size != size_) {
    throw ReadError(
        "it had " + std::to_string(size_) + " bytes and now has " + std::to_string(status.st_size),
        EIO);
  }
}

}  // namespace engine
