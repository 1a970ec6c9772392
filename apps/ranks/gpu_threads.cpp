#include "apps/ranks/gpu_threads.h"

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "apps/commands/commands.h"

namespace apps {
namespace {

using engine::Communicator;

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
      ranks = engine::make_nccl_communicator(devices_[rank], static_cast<int>(rank),
                                             static_cast<int>(devices_.size()), lanes_,
                                             [&](std::span<std::byte> id) { share(rank, id); });
      const Running running(*this, rank, *ranks);
      job_(*ranks, devices_[rank]);
    } catch (const EndedTogether&) {
      const std::lock_guard lock(mutex_);
      ended_together_ = std::current_exception();
    } catch (...) {
      end_all(rank);
    }
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
    const std::lock_guard lock(mutex_);
    if (failure_) return;  // this one may only be a consequence of the first
    failure_ = std::current_exception();
    failed_rank_ = rank;
    changed_.notify_all();
    for (Communicator* ranks : running_) {
      if (ranks != nullptr) ranks->abort();
    }
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
  std::vector<Communicator*> running_;  // by rank; null if its job does not run
  std::exception_ptr failure_, ended_together_;
  size_t failed_rank_ = 0;
};

}  // namespace

void on_gpu_threads(const std::vector<engine::Device>& devices, int lanes, const GpuJob& job) {
  GpuThreads(devices, lanes, job).run();
}

}  // namespace apps
