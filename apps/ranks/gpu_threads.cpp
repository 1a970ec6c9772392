#include "apps/ranks/gpu_threads.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "apps/commands/commands.h"
#include "apps/console.h"

namespace apps {
namespace {

using engine::Communicator;

// How long a failed rank waits until the others notice in NCCL that it will not come.
constexpr std::chrono::seconds kPatience{5};

class GpuThreads {
 public:
  GpuThreads(const std::vector<engine::Device>& devices, int lanes, const GpuJob& job)
      : devices_(devices), lanes_(lanes), job_(job), running_(devices.size()) {}

  void run() {
    {
      std::vector<std::jthread> threads;
      for (size_t rank = 0; rank < devices_.size(); ++rank) {
        try {
          threads.emplace_back([this, rank] { run_rank(rank); });
        } catch (const std::exception&) {
          end_all(rank);
          break;
        }
      }
    }
    if (failure_) throw_failure();
    if (ended_together_) std::rethrow_exception(ended_together_);
  }

 private:
  void run_rank(size_t rank) {
    // Destroyed after a failure is noted: the others fail too once it is gone.
    std::unique_ptr<Communicator> ranks;
    try {
      ranks = join_others(rank);
      const Running running(*this, rank, *ranks);
      job_(*ranks, devices_[rank]);
    } catch (const EndedTogether&) {
      const std::lock_guard lock(mutex_);
      ended_together_ = std::current_exception();
    } catch (...) {
      end_all(rank);
    }
  }

  std::unique_ptr<Communicator> join_others(size_t rank) {
    const Beginning beginning(*this);
    return engine::make_nccl_communicator(devices_[rank], static_cast<int>(rank),
                                          static_cast<int>(devices_.size()), lanes_,
                                          [&](std::span<std::byte> id) { share(rank, id); });
  }

  // Gives all threads the id of rank 0. Once this returns a thread waits in NCCL for all others, so
  // it throws if one of them has failed before.
  void share(size_t rank, std::span<std::byte> id) {
    std::unique_lock lock(mutex_);
    if (rank == 0) id_.assign(id.begin(), id.end());
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return arrived_ == devices_.size() || failure_; });
    require_no_failure();
    std::memcpy(id.data(), id_.data(), id.size());
  }

  // While it exists, its thread may be waiting for the others in NCCL and cannot be aborted.
  class Beginning {
   public:
    explicit Beginning(GpuThreads& threads) : threads_(threads) { count(1); }
    ~Beginning() { count(-1); }
    Beginning(const Beginning&) = delete;
    Beginning& operator=(const Beginning&) = delete;

   private:
    void count(int change) {
      const std::lock_guard lock(threads_.mutex_);
      threads_.beginning_ += change;
      threads_.changed_.notify_all();
    }
    GpuThreads& threads_;
  };

  // While it exists, a failure elsewhere aborts the communicator.
  class Running {
   public:
    Running(GpuThreads& threads, size_t rank, Communicator& ranks)
        : threads_(threads), rank_(rank) {
      const std::lock_guard lock(threads_.mutex_);
      threads_.require_no_failure();
      threads_.running_[rank_] = &ranks;
    }
    ~Running() {
      const std::lock_guard lock(threads_.mutex_);
      threads_.running_[rank_] = nullptr;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    GpuThreads& threads_;
    const size_t rank_;
  };

  // Called by the handler of an exception of this rank.
  void end_all(size_t rank) {
    std::unique_lock lock(mutex_);
    if (failure_) return;  // this one may only be a consequence of the first
    failure_ = std::current_exception();
    failed_rank_ = rank;
    changed_.notify_all();
    for (Communicator* ranks : running_) {
      if (ranks != nullptr) ranks->abort();
    }
    if (changed_.wait_for(lock, kPatience, [this] { return beginning_ == 0; })) return;
    // Nothing has been trained yet, so nothing is lost if the process ends here.
    try {
      throw_failure();
    } catch (const std::exception& error) {
      warn(error.what());
    }
    finish_output();
    std::_Exit(1);
  }

  void require_no_failure() const {
    engine::require(!failure_, "rank ", failed_rank_, " has failed");
  }

  [[noreturn]] void throw_failure() const {
    try {
      std::rethrow_exception(failure_);
    } catch (const std::exception& error) {
      engine::fail("rank ", failed_rank_, ": ", error.what());
    }
  }

  const std::vector<engine::Device>& devices_;
  const int lanes_;
  const GpuJob& job_;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<std::byte> id_;
  size_t arrived_ = 0;                  // threads that have come to share()
  int beginning_ = 0;                   // threads in join_others()
  std::vector<Communicator*> running_;  // by rank; null if its job does not run
  std::exception_ptr failure_, ended_together_;
  size_t failed_rank_ = 0;
};

}  // namespace

void on_gpu_threads(const std::vector<engine::Device>& devices, int lanes, const GpuJob& job) {
  GpuThreads(devices, lanes, job).run();
}

}  // namespace apps
