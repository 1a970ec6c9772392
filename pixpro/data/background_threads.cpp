#include "pixpro/data/background_threads.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace pixpro {
namespace {

std::atomic<bool> left_behind = false;

}  // namespace

struct BackgroundThreads::State {
  std::mutex mutex;
  std::condition_variable changed;
  size_t done = 0;
};

BackgroundThreads::BackgroundThreads(int count,
                                     const std::function<void(const std::stop_token&)>& work)
    : state_(std::make_shared<State>()) {
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([state = state_, work = work](const std::stop_token& stop) mutable {
      std::exchange(work, nullptr)(stop);  // what it owns is destroyed before it counts as done
      const std::lock_guard lock(state->mutex);
      ++state->done;
      state->changed.notify_all();
    });
  }
}

BackgroundThreads::~BackgroundThreads() {
  for (std::jthread& thread : threads_) thread.request_stop();  // all of them before the wait
  if (wait(std::chrono::seconds(2))) return;                    // they are joined
  left_behind = true;
  for (std::jthread& thread : threads_) thread.detach();
}

bool BackgroundThreads::wait(std::chrono::seconds most) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, most, [this] { return state_->done == threads_.size(); });
}

bool threads_are_left_behind() { return left_behind; }

}  // namespace pixpro
