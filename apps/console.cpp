#include "apps/console.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>

#include "engine/files/escaped.h"

namespace apps {
namespace {

constexpr size_t kMostWaiting = 1000;

struct Text {
  int descriptor;
  std::string text;
};

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd writable{descriptor, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

class Writer {
 public:
  Writer() {
    std::thread([this] { work(); }).detach();  // it may never return from write()
  }

  void add(Text text) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kMostWaiting) waiting_.push_back(std::move(text));
    changed_.notify_all();
  }

  void finish() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(1), [this] { return waiting_.empty(); });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !waiting_.empty(); });
      const Text& next = waiting_.front();  // a deque does not move it when others are added
      lock.unlock();
      write_all(next.descriptor, next.text);
      lock.lock();
      waiting_.pop_front();
      changed_.notify_all();
    }
  }

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<Text> waiting_;
};

// Never destroyed, because its thread may outlive main().
Writer& writer() {
  static auto& only = *new Writer;
  return only;
}

}  // namespace

void prepare_output() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  int file = 0;
  while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDONLY);
  if (file >= 0) close(file);
}

void say(const std::string& text) { writer().add({STDOUT_FILENO, text}); }
void warn(const std::string& text) {
  writer().add({STDERR_FILENO, "pixpro: " + engine::escaped(text) + "\n"});
}
void finish_output() { writer().finish(); }

}  // namespace apps
