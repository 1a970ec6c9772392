#include "tests/support/thread_ranks.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "engine/kernels/bf16.h"

namespace test_support {
namespace {

using engine::Communicator;
using engine::DType;
using engine::Tensor;
using engine::Ticket;

constexpr std::chrono::seconds kPatience{30};

// What a rank brings to a meeting.
struct Call {
  std::string text;  // the same on every rank
  const std::byte* data = nullptr;
};

// Where the ranks meet, in one lane.
class Meeting {
 public:
  explicit Meeting(int ranks) : calls_(static_cast<size_t>(ranks)) {}

  // Waits for the calls of all ranks and returns them. They may be read until the next meeting.
  std::vector<Call> meet(int rank, const Call& call) {
    std::unique_lock lock(mutex_);
    calls_[static_cast<size_t>(rank)] = call;
    const int64_t number = number_;
    if (++arrived_ == calls_.size()) {
      arrived_ = 0;
      ++number_;
      complete_ = calls_;
      all_here_.notify_all();
    } else if (!all_here_.wait_for(lock, kPatience,
                                   [&] { return number_ != number || aborted_; })) {
      engine::fail("rank ", rank, " waited in vain for the others to join its ", call.text);
    }
    engine::require(number_ != number, "rank ", rank, ": ", call.text, " was aborted");
    return complete_;
  }

  void abort() {
    const std::lock_guard lock(mutex_);
    aborted_ = true;
    all_here_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::vector<Call> calls_;     // of the ranks that have arrived
  std::vector<Call> complete_;  // of the last meeting
  size_t arrived_ = 0;
  int64_t number_ = 0;
  bool aborted_ = false;
};

template <class T>
void add_up(const std::vector<Call>& calls, std::vector<std::byte>& result) {
  auto* sums = reinterpret_cast<T*>(result.data());
  for (size_t i = 0; i < result.size() / sizeof(T); ++i) {
    T sum{};
    for (const Call& call : calls) {
      sum = static_cast<T>(sum + reinterpret_cast<const T*>(call.data)[i]);
    }
    sums[i] = sum;
  }
}

void add_up(DType dtype, const std::vector<Call>& calls, std::vector<std::byte>& result) {
  if (dtype == DType::f32) return add_up<float>(calls, result);
  if (dtype == DType::f64) return add_up<double>(calls, result);
  if (dtype == DType::bf16) return add_up<engine::BFloat16>(calls, result);
  if (dtype == DType::i64) return add_up<int64_t>(calls, result);
  engine::require(dtype == DType::u8, "thread ranks: cannot add ", dtype);
  add_up<uint8_t>(calls, result);
}

// Runs jobs one after the other on a thread of its own.
class Worker {
 public:
  Worker() : thread_([this] { work(); }) {}
  ~Worker() {
    post(nullptr);
    thread_.join();
  }

  int64_t post(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_all();
    return ++posted_;
  }

  // Throws what any job up to this one has thrown.
  void wait_for(int64_t job) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= job || failure_; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !jobs_.empty(); });
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      if (job == nullptr) return;
      lock.unlock();
      std::exception_ptr failure;
      try {
        if (!failure_) job();  // only this thread writes it
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      ++done_;
      if (failure) failure_ = failure;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  int64_t posted_ = 0, done_ = 0;
  std::exception_ptr failure_;
  std::thread thread_;
};

std::string described(const char* what, const Tensor& tensor) {
  std::ostringstream text;
  text << what << " of " << tensor;
  return text.str();
}

using Meetings = std::vector<std::unique_ptr<Meeting>>;  // one per lane

// A lane of one rank. Its collectives run on a thread of their own, concurrently with the rank's
// work, so that ThreadSanitizer sees a tensor that is touched too early.
class ThreadLane : public Communicator {
 public:
  ThreadLane(int rank, int ranks, Meetings& meetings, size_t index = 0)
      : Communicator(rank, ranks),
        meetings_(meetings),
        meeting_(*meetings[index]),
        random_(static_cast<unsigned>(rank) * 7919u + static_cast<unsigned>(index)) {
    for (size_t i = 1; index == 0 && i < meetings.size(); ++i) {
      add_lane(std::make_unique<ThreadLane>(rank, ranks, meetings, i));
    }
  }

  ~ThreadLane() override {
    if (!finished_) abort();
  }

  Ticket start_all_reduce(const Tensor& tensor) override {
    count_message(tensor.bytes());
    return {start([this, sum = tensor]() mutable {
      const std::vector<Call> calls = meet(described("all_reduce", sum), sum);
      std::vector<std::byte> result(static_cast<size_t>(sum.bytes()));
      add_up(sum.dtype(), calls, result);
      meet("end of all_reduce");
      std::copy(result.begin(), result.end(), static_cast<std::byte*>(sum.raw()));
    })};
  }

  void join(Ticket ticket) override { worker_.wait_for(ticket.number); }

  void broadcast(Tensor& tensor, int root) override {
    count_message(tensor.bytes());
    run([&] {
      const std::string text = described("broadcast", tensor) + " from " + std::to_string(root);
      const std::byte* source = meet(text, tensor)[static_cast<size_t>(root)].data;
      if (root != rank()) {
        std::copy_n(source, tensor.bytes(), static_cast<std::byte*>(tensor.raw()));
      }
      meet("end of broadcast");
    });
  }

  void all_gather(const Tensor& part, Tensor& whole) override {
    require_gathers(part, whole);
    count_message(part.bytes());
    run([&] {
      auto* target = static_cast<std::byte*>(whole.raw());
      for (const Call& call : meet(described("all_gather", part), part)) {
        target = std::copy_n(call.data, part.bytes(), target);
      }
      meet("end of all_gather");
    });
  }

  void barrier() override {
    run([&] { meet("barrier"); });
  }

  void check_health() override { worker_.wait_for(0); }

  void finish() override {
    barrier();
    for (size_t i = 0; i < meetings_.size(); ++i) {
      static_cast<ThreadLane&>(lane(static_cast<int>(i))).finished_ = true;
    }
  }

  void abort() noexcept override {
    for (const auto& meeting : meetings_) meeting->abort();
  }

 private:
  std::vector<Call> meet(std::string text, const Tensor& tensor = {}) {
    const auto* data = tensor.defined() ? static_cast<const std::byte*>(tensor.raw()) : nullptr;
    std::vector<Call> calls = meeting_.meet(rank(), {std::move(text), data});
    const std::string& own = calls[static_cast<size_t>(rank())].text;
    for (size_t i = 0; i < calls.size(); ++i) {
      engine::require(calls[i].text == own, "rank ", rank(), " calls ", own, ", but rank ", i,
                      " calls ", calls[i].text);
    }
    return calls;
  }

  int64_t start(std::function<void()> collective) {
    const std::chrono::microseconds pause(random_() % 100);
    return worker_.post([pause, collective = std::move(collective)] {
      std::this_thread::sleep_for(pause);
      collective();
    });
  }

  void run(std::function<void()> collective) { worker_.wait_for(start(std::move(collective))); }

  Meetings& meetings_;
  Meeting& meeting_;
  std::minstd_rand random_;
  bool finished_ = false;
  Worker worker_;
};

}  // namespace

std::vector<std::string> errors_of_ranks(int ranks,
                                         const std::function<void(Communicator&)>& body) {
  Meetings meetings;
  for (int i = 0; i < kThreadRankLanes; ++i) meetings.push_back(std::make_unique<Meeting>(ranks));
  std::vector<std::string> errors(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      omp_set_num_threads(1);
      try {
        ThreadLane communicator(rank, ranks, meetings);
        body(communicator);
        communicator.finish();
      } catch (const engine::Error& error) {
        errors[static_cast<size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

void on_ranks(int ranks, const std::function<void(Communicator&)>& body) {
  for (const std::string& error : errors_of_ranks(ranks, body)) EXPECT_EQ(error, "");
}

}  // namespace test_support
