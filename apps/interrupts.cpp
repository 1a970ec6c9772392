#include "apps/interrupts.h"

#include <atomic>
#include <cstdint>
#include <ctime>

namespace apps {
namespace {

constexpr int64_t kOneSignal = 1'000'000'000;  // nanoseconds

std::atomic<bool> noted = false;
std::atomic<int64_t> noted_at = 0;
static_assert(std::atomic<int64_t>::is_always_lock_free, "a signal handler may not wait");

int64_t nanoseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void note(int signal) {
  const int64_t now = nanoseconds_now();
  if (!noted) {
    noted_at = now;
    noted = true;
  } else if (now - noted_at > kOneSignal) {
    std::signal(signal, SIG_DFL);
    raise(signal);
  }
}

}  // namespace

Interrupts::Interrupts() {
  noted = false;
  Action action{};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // interrupted reads resume
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool Interrupts::arrived() const { return noted; }

}  // namespace apps
