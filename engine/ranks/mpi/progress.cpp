#include "engine/ranks/mpi/progress.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <utility>

#include "engine/error.h"
#include "engine/kernels/bf16.h"
#include "engine/ranks/mpi/heartbeat.h"

namespace engine {
namespace {

using Guard = std::unique_lock<std::mutex>;
using Clock = MpiOperation::Clock;
using std::chrono::microseconds;

// While no other thread waits for a collective, this one calls MPI_Testany and sleeps in turns.
// Each call takes the core away from a thread that computes. So the pause doubles after a call that
// has moved no data, and is the shortest after one that has. While a sum waited for another rank,
// the calls took 13 % of a core with pauses of 50 microseconds alone, and take 3 % with these.
constexpr microseconds kShortestPause{50}, kLongestPause{800};
constexpr microseconds kIdleLook{10};  // a call that takes less has moved nothing
// The pause while no collective is under way. The heartbeat has to go on.
constexpr std::chrono::milliseconds kBeatPause{250};

// MPI has no bf16: adds values that it takes for integers of as many bits.
void add_bf16(void* more, void* sums, int* count, MPI_Datatype*) {
  const auto* in = static_cast<const BFloat16*>(more);
  auto* out = static_cast<BFloat16*>(sums);
  for (int i = 0; i < *count; ++i) out[i] = BFloat16(out[i] + in[i]);
}

}  // namespace

MpiProgress::MpiProgress(int lanes, ReportLoss report_loss, std::chrono::seconds patience)
    : report_loss_(std::move(report_loss)),
      thread_([this, lanes, patience] { run(lanes, patience); }) {
  Guard lock(mutex_);
  from_thread_.wait(lock, [this] { return started_ || failure_; });
  if (!failure_) return;
  lock.unlock();
  thread_.join();
  std::rethrow_exception(failure_);
}

MpiProgress::~MpiProgress() {
  abort();
  thread_.join();
}

std::shared_ptr<MpiOperation> MpiProgress::post(MpiOperation operation) {
  auto posted = std::make_shared<MpiOperation>(std::move(operation));
  posted->posted = Clock::now();
  const Guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  require(state_ == State::running, posted->name, ": MPI has been ended");
  posted_.push_back(posted);
  to_thread_.notify_one();
  return posted;
}

void MpiProgress::wait_for(const MpiOperation& operation) {
  Guard lock(mutex_);
  ++waiting_;
  to_thread_.notify_one();
  from_thread_.wait(lock, [&] { return operation.complete || failure_; });
  --waiting_;
  if (failure_) std::rethrow_exception(failure_);
}

void MpiProgress::check_health() {
  const Guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void MpiProgress::request_end(State state) {
  Guard lock(mutex_);
  if (state_ != State::running) return;
  state_ = state;
  to_thread_.notify_one();
  from_thread_.wait(lock, [this] { return state_ == State::ended; });
}

void MpiProgress::finish() {
  check_health();
  request_end(State::finishing);
  check_health();
}

void MpiProgress::abort() noexcept { request_end(State::aborting); }

void MpiProgress::run(int lanes, std::chrono::seconds patience) {
  try {
    start_mpi(lanes);
    Heartbeat heartbeat(patience);
    {
      const Guard lock(mutex_);
      started_ = true;
      from_thread_.notify_all();
    }
    progress(heartbeat);
    if (state_ == State::finishing) end_mpi(heartbeat);
  } catch (const LostRank& lost) {
    // The other threads may be waiting for that rank, some of them not in MPI.
    if (report_loss_) report_loss_(lost.what());
    end_job();
  } catch (...) {
    fail_with(std::current_exception());
  }
  Guard lock(mutex_);
  // After a failure the owner still has to say how this ends.
  to_thread_.wait(lock, [this] { return state_ != State::running || !started_; });
  if (state_ == State::aborting) {
    lock.unlock();
    end_job();
    lock.lock();
  }
  state_ = State::ended;
  from_thread_.notify_all();
}

void MpiProgress::start_mpi(int lanes) {
  // For sums in place Open MPI takes binomial trees, which send all of a tensor log2(ranks) times
  // to rank 0 and as often back. 25 MiB on two, four ranks of a machine: 17, 25 ms; a ring: 9, 14
  // ms and half of the processor's time. Other MPIs do not read this.
  setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "ring", /*overwrite=*/0);
  int is_started = 0, level = MPI_THREAD_SINGLE;
  MPI_Initialized(&is_started);
  require(is_started == 0, "mpi: MPI was started before; a process can start it only once");
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread");
  // Errors of what belongs to no communicator are reported to this one's handler.
  check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  char host[MPI_MAX_PROCESSOR_NAME + 1] = {};
  int length = 0;
  check(MPI_Get_processor_name(host, &length), "MPI_Get_processor_name");
  name_ = "rank " + std::to_string(rank_) + " of " + std::to_string(size_) + " on " + host;
  require(level >= MPI_THREAD_FUNNELED, name_, ": this MPI offers MPI_THREAD_SINGLE only; ",
          "MPI_THREAD_FUNNELED is needed, so use an MPI that was built with support for threads");
  for (int lane = 0; lane < lanes; ++lane) {
    check(MPI_Comm_dup(MPI_COMM_WORLD, &of_lanes_.emplace_back(MPI_COMM_NULL)), "MPI_Comm_dup");
  }
  check(MPI_Op_create(add_bf16, /*commute=*/1, &sum_of_bf16_), "MPI_Op_create");
}

// Begins what is posted and completes what is under way, until the end is requested.
void MpiProgress::progress(Heartbeat& heartbeat) {
  microseconds pause = kShortestPause;
  while (true) {
    std::deque<std::shared_ptr<MpiOperation>> posted;
    bool is_awaited = false;
    {
      Guard lock(mutex_);
      const auto is_wanted = [this] { return !posted_.empty() || state_ != State::running; };
      if (requests_.empty()) {
        to_thread_.wait_for(lock, kBeatPause, is_wanted);
      } else if (waiting_ == 0) {
        to_thread_.wait_for(lock, pause, [&] { return is_wanted() || waiting_ > 0; });
      }
      if (state_ != State::running) return;
      posted.swap(posted_);
      is_awaited = waiting_ > 0;
    }
    for (const auto& operation : posted) begin(operation);
    const auto begun = Clock::now();
    if (!requests_.empty()) test_one();
    const bool is_idle = posted.empty() && Clock::now() - begun < kIdleLook;
    pause = is_idle ? std::min(2 * pause, kLongestPause) : kShortestPause;
    heartbeat.beat();
    if (is_idle && is_awaited) std::this_thread::yield();
  }
}

void MpiProgress::begin(const std::shared_ptr<MpiOperation>& operation) {
  MPI_Request& request = requests_.emplace_back(MPI_REQUEST_NULL);
  under_way_.push_back(operation);
  const MPI_Comm comm = of_lanes_[static_cast<size_t>(operation->lane)];
  check(operation->begin(comm, &request), operation->name);
}

void MpiProgress::test_one() {
  int index = MPI_UNDEFINED, is_complete = 0;
  check(MPI_Testany(static_cast<int>(requests_.size()), requests_.data(), &index, &is_complete,
                    MPI_STATUS_IGNORE),
        "a collective");
  if (is_complete == 0 || index == MPI_UNDEFINED) return;
  const std::shared_ptr<MpiOperation> operation = under_way_[static_cast<size_t>(index)];
  requests_.erase(requests_.begin() + index);
  under_way_.erase(under_way_.begin() + index);
  if (operation->end) operation->end();
  const Guard lock(mutex_);
  operation->complete = true;
  operation->completed = Clock::now();
  from_thread_.notify_all();
}

void MpiProgress::end_mpi(Heartbeat& heartbeat) {
  heartbeat.finish();
  check(MPI_Op_free(&sum_of_bf16_), "MPI_Op_free");
  for (MPI_Comm& lane : of_lanes_) check(MPI_Comm_free(&lane), "MPI_Comm_free");
  check(MPI_Finalize(), "MPI_Finalize");
}

// Ends this process too. MPI_Abort waits for the launcher, which may be out of reach: then the
// alarm ends the process.
void MpiProgress::end_job() {
  std::signal(SIGALRM, SIG_DFL);
  alarm(5);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

void MpiProgress::check(int status, const char* what) const {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING + 1] = {};
  int length = 0;
  if (MPI_Error_string(status, text, &length) != MPI_SUCCESS) length = 0;
  fail(name_.empty() ? "mpi" : name_, ": ", what, ": ",
       length > 0 ? text : "an error without a description");
}

void MpiProgress::fail_with(std::exception_ptr failure) {
  const Guard lock(mutex_);
  failure_ = std::move(failure);
  from_thread_.notify_all();
}

}  // namespace engine
