#include "tests/cuda_emulation/lock.h"

namespace cuda_emulation {

void Lock::lock() {
  const std::thread::id self = std::this_thread::get_id();
  std::unique_lock guard(mutex_);
  freed_.wait(guard, [&] { return depth_ == 0 || owner_ == self; });
  owner_ = self;
  ++depth_;
}

void Lock::unlock() {
  const std::lock_guard guard(mutex_);
  if (--depth_ == 0) freed_.notify_all();
}

int Lock::give_up() {
  const std::lock_guard guard(mutex_);
  const int depth = depth_;
  depth_ = 0;
  freed_.notify_all();
  return depth;
}

void Lock::take_back(int depth) {
  std::unique_lock guard(mutex_);
  freed_.wait(guard, [&] { return depth_ == 0; });
  owner_ = std::this_thread::get_id();
  depth_ = depth;
}

void Lock::wait() {
  const int depth = give_up();
  {
    std::unique_lock guard(mutex_);
    freed_.wait(guard);
  }
  take_back(depth);
}

}  // namespace cuda_emulation
