#include "pixpro/data/sources/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "engine/error.h"

namespace pixpro {
namespace {

struct Descriptor {
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  int number;
};

std::string last_error() { return std::generic_category().message(errno); }

}  // namespace

void read_file(const std::filesystem::path& path, std::vector<uint8_t>& bytes) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  engine::require(file.number >= 0, "cannot open the file: ", last_error());
  struct stat status {};
  engine::require(fstat(file.number, &status) == 0, "cannot look at the file: ", last_error());
  engine::require(S_ISREG(status.st_mode), "not a regular file");
  engine::require(status.st_size <= kMaxEncodedBytes, "the file has ", status.st_size,
                  " bytes, more than the ", kMaxEncodedBytes, " that are accepted");
  bytes.resize(static_cast<size_t>(status.st_size));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = read(file.number, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    engine::require(count >= 0, "cannot read the file: ", last_error());
    engine::require(count > 0, "read only ", done, " of ", bytes.size(), " bytes");
    done += static_cast<size_t>(count);
  }
}

}  // namespace pixpro
