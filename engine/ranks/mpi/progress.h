// The thread that makes all calls of MPI.
#pragma once

#include <mpi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/ranks/mpi.h"

namespace engine {

class Heartbeat;

// A collective that does not block, in one lane.
struct MpiOperation {
  using Clock = std::chrono::steady_clock;

  const char* name;
  int lane;
  int64_t bytes;  // of this rank's tensor
  std::function<int(MPI_Comm, MPI_Request*)> begin;
  std::function<void()> end{};  // called once MPI has completed it; may be empty
  Clock::time_point posted{};
  bool complete = false;          // under the mutex of MpiProgress, as is
  Clock::time_point completed{};  // when that was
};

class MpiProgress {
 public:
  // Starts MPI and makes a communicator for each lane; see make_mpi_communicator().
  MpiProgress(int lanes, ReportLoss report_loss, std::chrono::seconds patience);
  // Ends the job by MPI_Abort unless finish() has been called.
  ~MpiProgress();
  MpiProgress(const MpiProgress&) = delete;
  MpiProgress& operator=(const MpiProgress&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Adds values of bf16, as MPI_UINT16_T; rounds each sum of two.
  MPI_Op sum_of_bf16() const { return sum_of_bf16_; }

  // Operations of a lane begin in the order in which they are posted.
  std::shared_ptr<MpiOperation> post(MpiOperation operation);
  // Throws if any operation has failed.
  void wait_for(const MpiOperation& operation);
  void check_health();

  // Ends MPI. No operation may be under way on any rank.
  void finish();
  void abort() noexcept;

 private:
  enum class State { running, finishing, aborting, ended };

  void run(int lanes, std::chrono::seconds patience);
  void start_mpi(int lanes);
  void progress(Heartbeat& heartbeat);
  void begin(const std::shared_ptr<MpiOperation>& operation);
  void test_one();
  void end_mpi(Heartbeat& heartbeat);
  static void end_job();
  void check(int status, const char* what) const;
  void fail_with(std::exception_ptr failure);
  void request_end(State state);

  // Used by the thread alone.
  const ReportLoss report_loss_;
  std::vector<MPI_Comm> of_lanes_;
  MPI_Op sum_of_bf16_ = MPI_OP_NULL;
  std::vector<MPI_Request> requests_;
  std::vector<std::shared_ptr<MpiOperation>> under_way_;  // one per request
  int rank_ = 0, size_ = 1;
  std::string name_;  // "rank 2 of 4 on node7"

  std::mutex mutex_;
  std::condition_variable to_thread_, from_thread_;
  State state_ = State::running;
  bool started_ = false;
  int waiting_ = 0;  // threads in wait_for
  std::deque<std::shared_ptr<MpiOperation>> posted_;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace engine
