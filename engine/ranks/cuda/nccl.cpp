#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cuda/context.h"
#include "engine/cuda/event.h"
#include "engine/cuda/stream.h"
#include "engine/ranks/communicator.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

void check(ncclResult_t status,
           const std::source_location& where = std::source_location::current()) {
  if (status == ncclSuccess) return;
  // If NCCL knows more (which interface, which rank), its last error says so.
  const char* details = ncclGetLastError(nullptr);
  std::string what = ncclGetErrorString(status);
  if (details != nullptr && *details != '\0') what += std::string(": ") + details;
  fail_at(where, "NCCL", what);
}
using engine::check;

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return ncclFloat32;
    case DType::f64:
      return ncclFloat64;
    case DType::i64:
      return ncclInt64;
    case DType::u8:
      return ncclUint8;
    case DType::bf16:
      return ncclBfloat16;
    case DType::f16:
      return ncclFloat16;
  }
  fail("nccl: unknown dtype");
}

size_t count_of(const Tensor& t) { return static_cast<size_t>(t.elements()); }

// NCCL's handles of one rank's lanes, which end together.
class Handles {
 public:
  Handles(int rank, int size, int lanes, const ShareBytes& share)
      : lanes_(static_cast<size_t>(lanes)) {
    ncclUniqueId id{};
    // With NCCL_COMM_ID set, NCCL makes the id from that, the same on every rank.
    if (rank == 0 || !share) check(ncclGetUniqueId(&id));
    if (share) share(std::as_writable_bytes(std::span(&id, 1)));
    try {
      check(ncclCommInitRank(&lanes_[0].handle, size, id, rank));
      for (size_t i = 1; i < lanes_.size(); ++i) {
        check(ncclCommSplit(lanes_[0].handle, 0, rank, &lanes_[i].handle, nullptr));
      }
    } catch (...) {
      abort();
      throw;
    }
  }
  ~Handles() { abort(); }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  // Calls f(handle of the lane).
  template <class F>
  void call(size_t lane, F&& f) {
    const std::lock_guard lock(lanes_[lane].mutex);
    require(!aborted_, "NCCL: this rank has been told to abort");
    check(f(lanes_[lane].handle));
  }

  void abort() noexcept {
    if (aborted_.exchange(true)) return;
    for (Lane& lane : lanes_) {
      if (lane.handle == nullptr) continue;
      const std::unique_lock lock = try_lock(lane.mutex);
      ncclCommAbort(lane.handle);
    }
  }

 private:
  struct Lane {
    std::mutex mutex;  // held by a call of NCCL
    ncclComm_t handle = nullptr;
  };

  // A lane's first collectives connect the ranks, so a call may be waiting for a dead one. Abort
  // then ends it while it runs.
  static std::unique_lock<std::mutex> try_lock(std::mutex& mutex) {
    std::unique_lock lock(mutex, std::try_to_lock);
    for (int tries = 0; !lock && tries < 100; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      static_cast<void>(lock.try_lock());
    }
    return lock;
  }

  std::vector<Lane> lanes_;
  std::atomic<bool> aborted_ = false;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Device device, int rank, int size, int lanes, const ShareBytes& share)
      : Communicator(rank, size),
        ctx_(cuda_context(device.index)),
        handles_(std::make_shared<Handles>(rank, size, lanes, share)) {
    for (size_t i = 1; i < static_cast<size_t>(lanes); ++i) {
      add_lane(std::make_unique<NcclCommunicator>(*this, i));
    }
  }
  NcclCommunicator(const NcclCommunicator& first, size_t lane)
      : Communicator(first.rank(), first.size()),
        ctx_(first.ctx_),
        handles_(first.handles_),
        lane_(lane) {}

  // Aborts even after finish(), when nothing is left to end: ncclCommDestroy() would wait for the
  // other ranks of the host.
  ~NcclCommunicator() override {
    abort();
    cudaStreamSynchronize(stream_.get());  // collectives that are ending still use their tensors
  }

  Ticket start_all_reduce(const Tensor& tensor) override {
    Sum sum{tensor, spare_.empty() ? std::make_unique<Event>() : std::move(spare_.back())};
    if (!spare_.empty()) spare_.pop_back();
    void* data = sum.tensor.raw();
    const auto type = nccl_type(tensor.dtype());
    sum.times = begin(tensor);
    handles_->call(lane_, [&](ncclComm_t comm) {
      return ncclAllReduce(data, data, count_of(tensor), type, ncclSum, comm, stream_.get());
    });
    if (sum.times) sum.times->done.record(stream_.get());
    sum.done->record(stream_.get());
    under_way_.push_back(std::move(sum));
    return {++started_};
  }

  void join(Ticket ticket) override {
    check_health();
    while (joined_ < ticket.number && !under_way_.empty()) {
      Sum& sum = under_way_.front();
      // Those before it have ended before it.
      if (++joined_ == ticket.number || sum.times) hold_back_work(*sum.done, sum.times);
      spare_.push_back(std::move(sum.done));
      under_way_.pop_front();
    }
  }

  void broadcast(Tensor& tensor, int root) override {
    Times* const times = begin(tensor);
    void* data = tensor.raw();
    handles_->call(lane_, [&](ncclComm_t comm) {
      return ncclBroadcast(data, data, count_of(tensor), nccl_type(tensor.dtype()), root, comm,
                           stream_.get());
    });
    end(times);
  }

  void all_gather(const Tensor& part, Tensor& whole) override {
    require_gathers(part, whole);
    Times* const times = begin(part);
    void* target = whole.raw();
    handles_->call(lane_, [&](ncclComm_t comm) {
      return ncclAllGather(part.raw(), target, count_of(part), nccl_type(part.dtype()), comm,
                           stream_.get());
    });
    end(times);
  }

  void barrier() override {
    all_reduce(zeros({1}, DType::f32, ctx_.device()));
    check(cudaStreamSynchronize(ctx_.stream()));
    check_health();
  }

  void measure_traffic() override {
    Communicator::measure_traffic();
    is_timed_ = true;
    times_.clear();
  }

  Traffic traffic() override {
    const Times* last = nullptr;
    for (const std::unique_ptr<Times>& times : times_) {
      times->goes_on.wait();
      double under_way = times->done.seconds_since(times->queued);
      // The lane's messages may overlap.
      if (last) under_way = std::min(under_way, times->done.seconds_since(last->done));
      count_times(under_way, times->goes_on.seconds_since(times->waits));
      last = times.get();
    }
    times_.clear();
    return Communicator::traffic();
  }

  void check_health() override {
    ncclResult_t status = ncclSuccess;
    handles_->call(lane_, [&](ncclComm_t comm) { return ncclCommGetAsyncError(comm, &status); });
    check(status);
  }

  void finish() override { barrier(); }

  void abort() noexcept override { handles_->abort(); }

 private:
  // Of one message, if messages are timed.
  struct Times {
    Event queued{cudaEventDefault};  // of the compute stream
    Event done{cudaEventDefault};    // of the lane's stream, before that for which others wait
    // Of the compute stream, before and after it waits for the message.
    Event waits{cudaEventDefault}, goes_on{cudaEventDefault};
  };
  struct Sum {
    Tensor tensor;  // kept alive until the sum is joined
    std::unique_ptr<Event> done;
    Times* times = nullptr;
  };

  // Collectives run on the lane's own stream, after the work queued on the compute stream so far.
  Times* begin(const Tensor& sent) {
    count_message(sent.bytes());
    if (is_timed_) {
      times_.push_back(std::make_unique<Times>());
      times_.back()->queued.record(ctx_.stream());
    }
    queued_.record(ctx_.stream());
    queued_.hold_back(stream_.get());
    return is_timed_ ? times_.back().get() : nullptr;
  }

  void end(Times* times) {
    check_health();
    if (times) times->done.record(stream_.get());
    done_.record(stream_.get());
    hold_back_work(done_, times);
  }

  // Work queued on the compute stream from now on waits for the collectives.
  void hold_back_work(Event& done, Times* times) {
    if (times) times->waits.record(ctx_.stream());
    done.hold_back(ctx_.stream());
    if (times) times->goes_on.record(ctx_.stream());
  }

  CudaContext& ctx_;
  std::shared_ptr<Handles> handles_;
  const size_t lane_ = 0;
  Stream stream_;
  Event queued_, done_;
  int64_t started_ = 0, joined_ = 0;
  std::deque<Sum> under_way_;  // sums joined_ + 1 .. started_
  std::vector<std::unique_ptr<Event>> spare_;
  bool is_timed_ = false;
  std::vector<std::unique_ptr<Times>> times_;  // since measure_traffic() or traffic()
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Device device, int rank, int size, int lanes,
                                                     const ShareBytes& share) {
  return std::make_unique<NcclCommunicator>(device, rank, size, lanes, share);
}

}  // namespace engine
