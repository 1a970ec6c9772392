#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

#include "engine/kernels/bf16.h"
#include "engine/ranks/mpi.h"
#include "engine/ranks/mpi/progress.h"

namespace engine {
namespace {

// The largest sum that is taken in the order of ranks, by gathering all tensors. Every rank
// receives `size` times as much as its tensor has, so beyond this MPI's own algorithms are faster.
constexpr int64_t kGatheredBytes = 64 << 10;

MPI_Datatype mpi_type(const char* what, const Tensor& tensor) {
  require(tensor.device() == kCpu, what, ": MPI takes tensors on the CPU, found ", tensor);
  require(tensor.elements() <= std::numeric_limits<int>::max(), what,
          ": MPI takes less than 2^31 elements, found ", tensor);
  switch (tensor.dtype()) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::i64:
      return MPI_INT64_T;
    case DType::u8:
      return MPI_UINT8_T;
    case DType::bf16:
      return MPI_UINT16_T;  // the bits
    case DType::f16:
      break;
  }
  fail(what, ": MPI takes tensors of f32, f64, bf16, i64 or u8, found ", tensor);
}

int count_of(const Tensor& tensor) { return static_cast<int>(tensor.elements()); }

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

// parts: [ranks, elements of sum]. bf16 is rounded once, after the last addition.
template <class T>
void sum_in_order(const Tensor& parts, Tensor& sum) {
  const int64_t count = sum.elements(), ranks = parts.shape()[0];
  const T* in = parts.data<T>();
  T* out = sum.data<T>();
  for (int64_t i = 0; i < count; ++i) {
    auto total = +in[i];  // T, or float for bf16
    for (int64_t rank = 1; rank < ranks; ++rank) total += in[rank * count + i];
    out[i] = static_cast<T>(total);
  }
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(std::shared_ptr<MpiProgress> progress, int lane)
      : Communicator(progress->rank(), progress->size()),
        progress_(std::move(progress)),
        index_(lane) {}
  using Communicator::add_lane;

  Ticket start_all_reduce(const Tensor& tensor) override {
    const MPI_Datatype type = mpi_type("all_reduce", tensor);
    const bool in_order = is_float(tensor.dtype()) && tensor.bytes() <= kGatheredBytes;
    sums_.push_back(post(in_order ? gathered_sum(tensor, type) : reduced_sum(tensor, type)));
    return {first_ + static_cast<int64_t>(sums_.size()) - 1};
  }

  void join(Ticket ticket) override {
    progress_->check_health();
    for (; !sums_.empty() && first_ <= ticket.number; ++first_) {
      wait_for(*sums_.front());
      sums_.pop_front();
    }
  }

  void broadcast(Tensor& tensor, int root) override {
    const MPI_Datatype type = mpi_type("broadcast", tensor);
    void* data = tensor.raw();
    run({"broadcast", index_, tensor.bytes(),
         [=, count = count_of(tensor)](MPI_Comm comm, MPI_Request* request) {
           return MPI_Ibcast(data, count, type, root, comm, request);
         }});
  }

  void all_gather(const Tensor& part, Tensor& whole) override {
    require_gathers(part, whole);
    const MPI_Datatype type = mpi_type("all_gather", part);
    const void* from = part.raw();
    void* to = whole.raw();
    run({"all_gather", index_, part.bytes(),
         [=, count = count_of(part)](MPI_Comm comm, MPI_Request* request) {
           return MPI_Iallgather(from, count, type, to, count, type, comm, request);
         }});
  }

  void barrier() override { run({"barrier", index_, 0, MPI_Ibarrier}); }

  void check_health() override { progress_->check_health(); }

  void finish() override {
    barrier();
    progress_->finish();
  }

  void abort() noexcept override { progress_->abort(); }

 private:
  using Clock = MpiOperation::Clock;

  MpiOperation reduced_sum(const Tensor& tensor, MPI_Datatype type) const {
    const MPI_Op op = tensor.dtype() == DType::bf16 ? progress_->sum_of_bf16() : MPI_SUM;
    return {"all_reduce", index_, tensor.bytes(),
            [type, op, sum = tensor](MPI_Comm comm, MPI_Request* request) mutable {
              return MPI_Iallreduce(MPI_IN_PLACE, sum.raw(), count_of(sum), type, op, comm,
                                    request);
            }};
  }

  MpiOperation gathered_sum(const Tensor& tensor, MPI_Datatype type) const {
    Tensor parts({size(), tensor.elements()}, tensor.dtype());
    const auto begin = [type, tensor, parts](MPI_Comm comm, MPI_Request* request) mutable {
      const int count = count_of(tensor);
      return MPI_Iallgather(std::as_const(tensor).raw(), count, type, parts.raw(), count, type,
                            comm, request);
    };
    const auto end = [parts, sum = tensor]() mutable {
      for_float_or_bf16(sum.dtype(), [&](auto zero) { sum_in_order<decltype(zero)>(parts, sum); });
    };
    return {"all_reduce", index_, tensor.bytes(), begin, end};
  }

  std::shared_ptr<MpiOperation> post(MpiOperation operation) {
    count_message(operation.bytes);
    return progress_->post(std::move(operation));
  }

  void wait_for(const MpiOperation& operation) {
    const auto begin = Clock::now();
    progress_->wait_for(operation);
    // The lane's messages may overlap.
    const auto under_way = operation.completed - std::max(operation.posted, last_completed_);
    last_completed_ = std::max(last_completed_, operation.completed);
    const auto seconds = [](Clock::duration time) {
      return std::max(0.0, std::chrono::duration<double>(time).count());
    };
    count_times(seconds(under_way), seconds(Clock::now() - begin));
  }

  void run(MpiOperation operation) { wait_for(*post(std::move(operation))); }

  std::shared_ptr<MpiProgress> progress_;
  const int index_;
  int64_t first_ = 1;                               // number of sums_.front()
  std::deque<std::shared_ptr<MpiOperation>> sums_;  // started and not joined
  Clock::time_point last_completed_{};
};

}  // namespace

bool has_mpi() { return true; }

std::unique_ptr<Communicator> make_mpi_communicator(int lanes, const ReportLoss& report_loss,
                                                    std::chrono::seconds patience) {
  const auto progress = std::make_shared<MpiProgress>(lanes, report_loss, patience);
  auto first = std::make_unique<MpiCommunicator>(progress, 0);
  for (int lane = 1; lane < lanes; ++lane) {
    first->add_lane(std::make_unique<MpiCommunicator>(progress, lane));
  }
  return first;
}

}  // namespace engine
