// Files that a process removes before it ends.
#pragma once

#include <filesystem>

namespace engine {

// Removes a file, or a folder if it is empty, at the end of its scope, unless it is kept. Until
// then remove_temporaries() removes it too.
class Temporary {
 public:
  explicit Temporary(const std::filesystem::path& path);
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void keep();

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

// Removes all of them, the newest first. For a thread that ends the process while others work.
void remove_temporaries();

}  // namespace engine
