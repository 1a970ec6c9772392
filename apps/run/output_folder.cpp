#include "apps/run/output_folder.h"

#include <chrono>
#include <system_error>

#include "engine/error.h"
#include "engine/files/atomic_file.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

// The folders that must be created for `path` to exist, the outermost first.
std::list<fs::path> missing_folders(fs::path path) {
  std::list<fs::path> missing;
  std::error_code ignored;
  if (!path.has_filename()) path = path.parent_path();  // "folder/"
  for (; !path.empty() && !fs::exists(path, ignored); path = path.parent_path()) {
    missing.push_front(path);
  }
  return missing;
}

}  // namespace

void make_output_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  engine::require(!error && fs::is_directory(path), "output: cannot create the folder '",
                  path.string(), "': ", error.message());
}

RunFolder::RunFolder(const fs::path& path) : path_(path) {
  const std::list<fs::path> missing = missing_folders(path);
  make_output_folder(path);
  for (const fs::path& folder : missing) created_.emplace_front(folder);
  lock_.emplace(path);
  for (const fs::path& file : files()) {
    engine::remove_leftovers(file, std::chrono::seconds(0));
  }
}

std::array<fs::path, 4> RunFolder::files() const {
  return {checkpoint(), weights(), metrics(), picture()};
}

fs::path RunFolder::set_aside() const {
  fs::path folder;
  int number = 1;
  do {
    folder = path_ / ("previous." + std::to_string(number++));
  } while (!fs::create_directory(folder));
  for (const fs::path& file : files()) {
    if (fs::exists(fs::symlink_status(file))) fs::rename(file, folder / file.filename());
  }
  return folder;
}

}  // namespace apps
