#include "apps/background.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace apps {
namespace {

std::atomic<bool> left_behind = false;

}  // namespace

struct Background::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

Background::Background(std::function<void()> work) : state_(std::make_shared<State>()) {
  std::thread([state = state_, work = std::move(work)]() mutable {
    std::exchange(work, nullptr)();  // what it owns is destroyed before it counts as done
    const std::lock_guard lock(state->mutex);
    state->done = true;
    state->changed.notify_all();
  }).detach();
}

Background::~Background() {
  if (!wait(std::chrono::seconds(1))) left_behind = true;
}

bool Background::wait(std::chrono::seconds most) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, most, [this] { return state_->done; });
}

bool work_is_left_behind() { return left_behind; }

}  // namespace apps
