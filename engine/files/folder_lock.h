// Keeps two processes from writing into one folder. It needs nothing but files that are created
// exclusively, so it works between machines that share a network file system.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/files/process.h"
#include "engine/files/temporary.h"

namespace engine {

// Holds the file `run.lock` in a folder, which names this process, and refreshes its time of change
// every half minute. A lock whose process has ended is taken over. If that cannot be known, because
// the process belongs to another machine or container, it counts as ended if the time of change is
// five minutes old by the clock of the file system.
class FolderLock {
 public:
  static constexpr const char* kName = "run.lock";

  // Throws Error, naming host and process, if another process holds the folder, or if the file
  // cannot be written.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();  // removes the file, unless another process has taken over

  // Throws Error if another process has taken over because this one seemed to have ended, for
  // example while it was suspended. To be called before something in the folder is replaced. That
  // the lock cannot be read does not count.
  void require_held() const;

  // From whom this process took over, as a text for people, if it did.
  const std::optional<std::string>& taken_from() const { return taken_from_; }

 private:
  void refresh(const std::stop_token& stop) const;

  const std::filesystem::path path_;
  const std::string content_;
  std::optional<std::string> taken_from_;
  std::optional<Temporary> file_;
  std::jthread refresher_;
};

}  // namespace engine
