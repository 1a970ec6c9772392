// Work that a command has done on the side, and that must never hold it up.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace apps {

// Does the work in a thread of its own. Work that hangs, for example because a disk does not
// answer, is left behind, so it must own what it uses and must not throw.
class Background {
 public:
  explicit Background(std::function<void()> work);
  ~Background();  // waits for a second
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Waits until the work is done, but not longer than this. Returns whether it is.
  bool wait(std::chrono::seconds most) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether some work has been left behind. The program must then end by _Exit, which destroys
// nothing that the work may still use.
bool work_is_left_behind();

}  // namespace apps
