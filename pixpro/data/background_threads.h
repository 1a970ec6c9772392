// Threads that must never hold up the end of a program, even if they hang, for example because a
// disk does not answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

namespace pixpro {

class BackgroundThreads {
 public:
  // Each thread does the work once. The work must not throw, and must own what it uses.
  BackgroundThreads(int count, const std::function<void(const std::stop_token&)>& work);

  // Asks the threads to stop. If they have not ended two seconds later, they are left behind, see
  // threads_are_left_behind().
  ~BackgroundThreads();
  BackgroundThreads(const BackgroundThreads&) = delete;
  BackgroundThreads& operator=(const BackgroundThreads&) = delete;

  // Waits until all work is done, but not longer than this. Returns whether it is.
  bool wait(std::chrono::seconds most) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::vector<std::jthread> threads_;
};

// Whether this process has left any thread behind. It owns what it uses, but it may wake up while
// static objects are destroyed, so the program must then end by _Exit, which destroys none.
bool threads_are_left_behind();

}  // namespace pixpro
