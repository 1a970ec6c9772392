// The emulation's only lock. It is recursive, and its holder may release it in the middle of its
// work to wait for other threads or processes.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace cuda_emulation {

class Lock {
 public:
  void lock();
  void unlock();

  // Releases the lock until take_back(), however often the caller holds it; returns how often.
  int give_up();
  void take_back(int depth);

  // Releases the lock until another thread has held it.
  void wait();

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  std::thread::id owner_;  // no thread's by default
  int depth_ = 0;
};

// Releases the lock for the length of a scope.
class LockGivenUp {
 public:
  explicit LockGivenUp(Lock& lock) : lock_(lock), depth_(lock.give_up()) {}
  ~LockGivenUp() { lock_.take_back(depth_); }
  LockGivenUp(const LockGivenUp&) = delete;
  LockGivenUp& operator=(const LockGivenUp&) = delete;

 private:
  Lock& lock_;
  int depth_;
};

}  // namespace cuda_emulation
