// Turns SIGINT (Ctrl-C) and SIGTERM into a question that the program asks between two steps.
#pragma once

#include <csignal>

namespace apps {

// While this object exists, the first signal is only noted; another one more than a second later
// ends the program at once. (Within a second the two count as one: `timeout` signals a process and
// then its group.) Only one such object may exist at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  bool arrived() const;  // whether a signal has been noted

 private:
  using Action = struct sigaction;
  Action before_int_{}, before_term_{};
};

}  // namespace apps
