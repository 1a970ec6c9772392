#include "engine/files/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <system_error>

#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kRefresh{30};
constexpr int64_t kEndedAfter = 300;  // seconds without a refresh

[[noreturn]] void fail_to_lock(const fs::path& path, int error) {
  fail("cannot write '", path.string(), "': ", std::generic_category().message(error));
}

// Whether the file was created, with this content; false if there is one already.
bool create(const fs::path& path, const std::string& content) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0 && errno == EEXIST) return false;
  if (file < 0) fail_to_lock(path, errno);
  const bool written =
      write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  const int error = errno;
  if (close(file) == 0 && written) return true;
  unlink(path.c_str());
  fail_to_lock(path, error);
}

// A lock file as it was found.
struct Found {
  std::string content;
  int64_t changed = 0;  // seconds
};

// Nothing if there is no such file; no content if it cannot be read.
std::optional<Found> find(const fs::path& path) {
  struct stat status {};
  std::ifstream in(path);  // on network file systems, opening brings the newest state
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return Found{{std::istreambuf_iterator<char>(in), {}}, status.st_mtime};
}

std::optional<ProcessId> process_in(const std::string& content) {
  return parse_process(content.substr(0, content.find('\n')));
}

std::string people_call(const std::optional<ProcessId>& process) {
  if (!process) return "a process that it does not name";
  return "process " + std::to_string(process->pid) + " on host " + process->host;
}

// The present time of the file system's own clock, seconds.
int64_t time_at(const fs::path& unique) {
  create(unique, "");
  const Temporary file(unique);
  const std::optional<Found> found = find(unique);
  return found ? found->changed : 0;
}

fs::path beside(const fs::path& lock, const char* purpose) {
  return lock.string() + "." + text_of(this_process()) + "." + purpose;
}

bool has_ended(const Found& found, const fs::path& path) {
  const std::optional<ProcessId> process = process_in(found.content);
  const std::optional<bool> running = process ? is_running(*process) : std::nullopt;
  if (running) return !*running;
  return time_at(beside(path, "time")) - found.changed > kEndedAfter;
}

// Removes the lock of a process that has ended. Another process may have replaced it in the
// meantime. So it is first renamed, and put back if it is not the lock that was found.
void remove_ended(const fs::path& path, const Found& found) {
  const fs::path aside = beside(path, "ended");
  if (std::rename(path.c_str(), aside.c_str()) != 0) return;  // another process was faster
  const Temporary removed(aside);
  const std::optional<Found> taken = find(aside);
  if (taken && taken->content != found.content && link(aside.c_str(), path.c_str()) != 0) {
    fail_to_lock(path, errno);
  }
}

// Lets one process of this machine at a time look at the locks of a folder. Network file systems
// may refuse it. Between machines remove_ended is careful enough.
class Turn {
 public:
  explicit Turn(const fs::path& folder)
      : folder_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (folder_ >= 0) flock(folder_, LOCK_EX);
  }
  ~Turn() {
    if (folder_ >= 0) close(folder_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  int folder_;
};

}  // namespace

FolderLock::FolderLock(const fs::path& folder)
    : path_(folder / kName),
      content_(
          text_of(this_process()) +
          "\nThis process writes into the folder. Once it has ended, the file is obsolete.\n") {
  const Turn turn(folder);
  for (int attempt = 0; !create(path_, content_); ++attempt) {
    require(attempt < 100, "cannot write '", path_.string(), "': it keeps changing");
    const std::optional<Found> found = find(path_);
    if (!found) continue;  // it has just been removed
    const std::string holder = people_call(process_in(found->content));
    require(has_ended(*found, path_), "'", folder.string(), "' is in use: ", holder,
            " writes into it. Choose another folder or wait for it. If that process has ended, "
            "remove '",
            path_.string(), "'");
    remove_ended(path_, *found);
    taken_from_ = holder;
  }
  file_.emplace(path_);
  refresher_ = std::jthread([this](const std::stop_token& stop) { refresh(stop); });
}

FolderLock::~FolderLock() {
  const std::optional<Found> found = find(path_);
  if (!found || found->content != content_) file_->keep();
}

void FolderLock::require_held() const {
  const std::optional<Found> found = find(path_);
  const std::string other = found ? found->content : content_;
  require(other == content_ || other.empty(), "'", path_.parent_path().string(),
          "' has been taken over by ", people_call(process_in(other)),
          ", because this process had not refreshed '", path_.string(), "' for ", kEndedAfter,
          " seconds; nothing more is written there");
  if (found) return;
  try {
    create(path_, content_);  // somebody tidied up
  } catch (const Error&) {
    // Then the disk does not work, which whoever writes to it will notice.
  }
}

void FolderLock::refresh(const std::stop_token& stop) const {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stopped.wait_for(lock, stop, kRefresh, [&] { return stop.stop_requested(); })) {
    utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);
  }
}

}  // namespace engine
