#include "apps/interrupts.h"

#include <semaphore.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace apps {
namespace {

constexpr int64_t kOneSignal = 1'000'000'000;  // nanoseconds

std::atomic<int> first_signal = 0;
std::atomic<int64_t> asked_at = 0;  // when SIGINT or SIGTERM came first; 0: not yet
std::atomic<int> saving = 0;
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may not wait");
sem_t wake;  // of the thread that responds

int64_t nanoseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Batch systems repeat their warnings; only what people and supervisors send counts as insisting.
void end_if_insisted(int signal) {
  if (signal != SIGINT && signal != SIGTERM) return;
  const int64_t now = nanoseconds_now();
  int64_t first = 0;
  if (asked_at.compare_exchange_strong(first, now)) return;
  if (now - first > kOneSignal && saving == 0) {
    std::signal(signal, SIG_DFL);
    raise(signal);
  }
}

void note(int signal) {
  int none = 0;
  if (first_signal.compare_exchange_strong(none, signal)) sem_post(&wake);
  end_if_insisted(signal);
}

}  // namespace

Interrupts::Interrupts(Response response) : response_(std::move(response)) {
  first_signal = 0;
  asked_at = 0;
  sem_init(&wake, 0, 0);
  responder_ = std::jthread([this] { respond(); });
  Action action{};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // interrupted reads resume
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    Action before{};
    sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;
    before_[signal] = before;
    sigaction(signal, &action, nullptr);
  }
}

Interrupts::~Interrupts() {
  for (const auto& [signal, before] : before_) sigaction(signal, &before, nullptr);
  sem_post(&wake);
  responder_.join();
  sem_destroy(&wake);
}

void Interrupts::respond() {
  while (sem_wait(&wake) != 0) continue;  // interrupted by a signal
  const std::lock_guard lock(mutex_);
  if (first_signal != 0) response_(first_signal);
}

void Interrupts::respond_with(Response response) {
  const std::lock_guard lock(mutex_);
  response_ = std::move(response);
}

bool Interrupts::arrived() const { return first_signal != 0; }

Interrupts::Saving::Saving() { ++saving; }
Interrupts::Saving::~Saving() { --saving; }

}  // namespace apps
