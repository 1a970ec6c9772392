#include "pixpro/data/sources/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "engine/error.h"

namespace pixpro {
namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  engine::require(file >= 0, "cannot open the file: ", text_of(errno));
  struct stat status {};
  const bool is_regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  const auto size = static_cast<size_t>(status.st_size);
  // An empty file cannot be mapped, and need not be.
  void* start =
      is_regular && size > 0 ? mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : nullptr;
  const int error = errno;
  close(file);
  engine::require(is_regular, "not a regular file");
  engine::require(start != MAP_FAILED, "cannot map the file: ", text_of(error));
  bytes_ = {static_cast<const uint8_t*>(start), start == nullptr ? 0 : size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

void MappedFile::bring_in(Bytes part) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<size_t>(part.data() - bytes_.data());
  const size_t begin = offset / page * page;
  void* start = const_cast<uint8_t*>(bytes_.data()) + begin;
  const size_t length = offset + part.size() - begin;
  madvise(start, length, MADV_WILLNEED);  // a hint: one request instead of one per page
  // Kernels before 5.14 do not know MADV_POPULATE_READ (EINVAL).
  while (madvise(start, length, MADV_POPULATE_READ) != 0 && errno != EINVAL) {
    engine::require(errno == EINTR || errno == EAGAIN, "cannot read ", part.size(),
                    " bytes at offset ", offset, ": ", text_of(errno));
  }
}

}  // namespace pixpro
