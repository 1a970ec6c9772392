// SIGINT (Ctrl-C) and SIGTERM, as something to ask for between two steps.
#pragma once

#include <csignal>

namespace apps {

// While it lives, the first of these signals is only noted; one that comes more than a second later
// ends the program at once. (Some senders, such as `timeout`, signal a process and then its group.)
// One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  bool arrived() const;

 private:
  using Action = struct sigaction;
  Action before_int_{}, before_term_{};
};

}  // namespace apps
