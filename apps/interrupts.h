// What signals that ask a program to end do to a command that must not lose its work: SIGINT
// (Ctrl-C), SIGTERM, SIGHUP (a closed terminal), and SIGUSR1, SIGUSR2 and SIGXCPU, with which batch
// systems warn. SIGHUP stays ignored if it was (nohup).
#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace apps {

// While this object exists, the first signal only causes its response. SIGINT or SIGTERM, more than
// a second after an earlier one of the two, ends the program at once, except while something is
// saved. (Within a second they count as one: `timeout` signals a process and then its group.) Only
// one such object may exist at a time.
class Interrupts {
 public:
  // Called once, in a thread of its own, with the number of the first signal.
  using Response = std::function<void(int signal)>;
  explicit Interrupts(Response response);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  bool arrived() const;  // whether there was a signal

  // While such an object exists, this is the response. After it, a signal is only noted.
  class Phase {
   public:
    Phase(Interrupts& interrupts, Response response) : interrupts_(interrupts) {
      interrupts_.respond_with(std::move(response));
    }
    ~Phase() {
      interrupts_.respond_with([](int) {});
    }
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

   private:
    Interrupts& interrupts_;
  };

  // While such an object exists, no signal ends the program.
  class Saving {
   public:
    Saving();
    ~Saving();
    Saving(const Saving&) = delete;
    Saving& operator=(const Saving&) = delete;
  };

 private:
  using Action = struct sigaction;
  void respond();
  // When this returns, the response before is neither running nor called any more.
  void respond_with(Response response);

  std::map<int, Action> before_;
  std::mutex mutex_;  // guards response_
  Response response_;
  std::jthread responder_;
};

}  // namespace apps
