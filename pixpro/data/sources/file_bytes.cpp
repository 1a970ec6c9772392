#include "pixpro/data/sources/file_bytes.h"

#include <sys/stat.h>

#include <cerrno>
#include <span>
#include <system_error>

namespace pixpro {
namespace {

namespace fs = std::filesystem;

// The file that a path leads to, through links; it need not exist.
fs::path target_of(fs::path path) {
  constexpr int kMostLinks = 40;  // as Linux follows
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
    const fs::path next = fs::read_symlink(path, error);
    if (error) break;  // not a link
    path = path.parent_path() / next;
  }
  return path;
}

// An empty folder proves nothing: that is what remains of storage that is no longer mounted.
bool has_files(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator first(folder.empty() ? "." : folder, error);
  return !error && first != fs::directory_iterator();
}

bool is_lost(const fs::path& path, int error) {
  if (error == ENOENT) return has_files(target_of(path).parent_path());
  struct stat status {};
  return (error == EACCES || error == EPERM) && stat(path.c_str(), &status) == 0;
}

}  // namespace

void read_file(const fs::path& path, std::vector<uint8_t>& bytes) {
  try {
    const engine::InputFile file(path);
    engine::require(file.size() <= kMaxEncodedBytes, "the file has ", file.size(),
                    " bytes, more than the ", kMaxEncodedBytes, " that are accepted");
    bytes.resize(static_cast<size_t>(file.size()));
    file.read(0, std::as_writable_bytes(std::span(bytes)));
  } catch (const engine::ReadError& error) {
    if (is_lost(path, error.code())) throw LostFile(error.what(), error.code());
    throw;
  }
}

}  // namespace pixpro
