#include "apps/interrupts.h"

#include <atomic>

namespace apps {
namespace {

std::atomic<bool> noted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait");

void note(int) { noted = true; }

}  // namespace

Interrupts::Interrupts() {
  noted = false;
  Action action{};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // reads go on; the second signal ends the program
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool Interrupts::arrived() const { return noted; }

}  // namespace apps
