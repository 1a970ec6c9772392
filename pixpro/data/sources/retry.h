// Waits for storage that is away for a while, and for memory that is short.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

namespace pixpro {

struct Patience {
  // How long a read is tried again before its error counts.
  std::chrono::milliseconds limit = std::chrono::minutes(5);
  // Takes a line when reading begins to wait and when it goes on, from whichever thread waits; no
  // two calls at a time.
  std::function<void(const std::string&)> report = [](const std::string&) {};
};

// For all threads that read from the same storage.
class Retry {
 public:
  explicit Retry(Patience patience) : patience_(std::move(patience)) {}

  // Calls attempt() again and again while it throws engine::ReadError or std::bad_alloc, with
  // pauses that grow from 0.1 to 10 seconds. After the patience it throws a ReadError that begins
  // with name(). A LostFile passes through after three seconds already, which a program that
  // replaces the file may need, and any other exception at once. Returns false if it was told to
  // stop.
  bool run(const std::stop_token& stop, const std::function<std::string()>& name,
           const std::function<void()>& attempt);

 private:
  using Clock = std::chrono::steady_clock;
  class Wait;

  const Patience patience_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any recovered_;
  int waiting_ = 0;         // threads whose reads fail
  int64_t recoveries_ = 0;  // of reads that had failed
  Clock::time_point outage_began_;
  bool reported_ = false;  // the present outage
};

}  // namespace pixpro
