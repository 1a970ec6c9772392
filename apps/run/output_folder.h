// The folder in which a command writes several files.
#pragma once

#include <array>
#include <filesystem>
#include <list>
#include <optional>

#include "engine/files/folder_lock.h"
#include "engine/files/temporary.h"

namespace apps {

// Creates the folder, and those above it, if it does not exist. Throws Error if that fails.
void make_output_folder(const std::filesystem::path& path);

// The folder of a training run. Only one run at a time has it.
class RunFolder {
 public:
  // Creates the folder if it does not exist, locks it, and removes what killed runs have left half
  // written. Throws Error if that fails or another run has the folder.
  explicit RunFolder(const std::filesystem::path& path);
  ~RunFolder() = default;  // unlocks it, and removes it if it was created for nothing

  std::filesystem::path checkpoint() const { return path_ / "current.safetensors"; }
  std::filesystem::path weights() const { return path_ / "weights.safetensors"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path picture() const { return picture_in(path_); }
  static std::filesystem::path picture_in(const std::filesystem::path& folder) {
    return folder / "views.png";
  }

  // Moves these files, as far as they exist, into a new folder in this one, "previous.1",
  // "previous.2" and so on. Returns its path.
  std::filesystem::path set_aside() const;

  const engine::FolderLock& lock() const { return *lock_; }

 private:
  std::array<std::filesystem::path, 4> files() const;

  std::filesystem::path path_;
  std::list<engine::Temporary> created_;  // folders, the innermost first
  std::optional<engine::FolderLock> lock_;
};

}  // namespace apps
