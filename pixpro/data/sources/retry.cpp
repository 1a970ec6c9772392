#include "pixpro/data/sources/retry.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <sstream>
#include <utility>

#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{10'000}, kLostFile{3000};

std::string in_seconds(std::chrono::steady_clock::duration time) {
  std::ostringstream text;
  text.precision(3);
  text << std::chrono::duration<double>(time).count() << " s";
  return text.str();
}

// The error of a read that may succeed later.
struct Trouble {
  std::string reason;
  int code;
  bool is_lost_file;
};

std::optional<Trouble> trouble_of(const std::function<void()>& attempt) {
  try {
    attempt();
    return std::nullopt;
  } catch (const LostFile& error) {
    return Trouble{error.what(), error.code(), true};
  } catch (const engine::ReadError& error) {
    return Trouble{error.what(), error.code(), false};
  } catch (const std::bad_alloc&) {
    return Trouble{"there is not enough memory for it", ENOMEM, false};
  }
}

}  // namespace

// A read that has failed at least once, until it ends in one way or another. All that wait at the
// same time make up an outage.
class Retry::Wait {
 public:
  explicit Wait(Retry& retry) : retry_(retry) {
    const std::lock_guard lock(retry_.mutex_);
    if (retry_.waiting_++ == 0) retry_.outage_began_ = began_;
  }
  // The read has recovered unless give_up() was called. Others then try again at once.
  ~Wait() {
    const std::lock_guard lock(retry_.mutex_);
    const bool is_last = --retry_.waiting_ == 0;
    if (!gave_up_) {
      ++retry_.recoveries_;
      retry_.recovered_.notify_all();
    }
    if (!is_last || !std::exchange(retry_.reported_, false) || gave_up_) return;
    retry_.patience_.report("reading goes on after " +
                            in_seconds(Clock::now() - retry_.outage_began_));
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  Clock::duration lasted() const { return Clock::now() - began_; }
  void give_up() { gave_up_ = true; }

  // An outage is worth a line once a second try has failed.
  void report_once(const std::string& trouble) {
    const std::lock_guard lock(retry_.mutex_);
    if (retry_.reported_ || pause_ == kFirstPause) return;
    retry_.reported_ = true;
    retry_.patience_.report("waiting for up to " + in_seconds(retry_.patience_.limit) + ": " +
                            trouble);
  }

  // Ends early if another read recovers or a stop is requested.
  void pause(const std::stop_token& stop) {
    std::unique_lock lock(retry_.mutex_);
    const Clock::duration left = retry_.patience_.limit - lasted();
    retry_.recovered_.wait_for(
        lock, stop, std::min<Clock::duration>(pause_, left),
        [&, seen = retry_.recoveries_] { return retry_.recoveries_ != seen; });
    pause_ = std::min(2 * pause_, kLongestPause);
  }

 private:
  Retry& retry_;
  const Clock::time_point began_ = Clock::now();
  std::chrono::milliseconds pause_ = kFirstPause;
  bool gave_up_ = false;
};

bool Retry::run(const std::stop_token& stop, const std::function<std::string()>& name,
                const std::function<void()>& attempt) {
  std::optional<Wait> wait;
  while (const std::optional<Trouble> trouble = trouble_of(attempt)) {
    if (!wait) wait.emplace(*this);
    const Clock::duration lasted = wait->lasted();
    const bool is_lost = trouble->is_lost_file && lasted >= kLostFile;
    if (is_lost || lasted >= patience_.limit || stop.stop_requested()) {
      wait->give_up();
      if (stop.stop_requested()) return false;
      if (trouble->is_lost_file) throw LostFile(trouble->reason, trouble->code);
      throw engine::ReadError(name() + ": " + trouble->reason + ", tried again for " +
                                  in_seconds(lasted) + " (--io-patience)",
                              trouble->code);
    }
    if (!trouble->is_lost_file) wait->report_once(name() + ": " + trouble->reason);
    wait->pause(stop);
  }
  return true;
}

}  // namespace pixpro
