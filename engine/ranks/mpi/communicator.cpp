#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

#include "engine/context.h"
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
    case DType::f16:
      break;
  }
  fail(what, ": MPI takes tensors of f32, f64, i64 or u8, found ", tensor);
}

int count_of(const Tensor& tensor) { return static_cast<int>(tensor.elements()); }

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

// parts: [ranks, elements of sum]
template <class T>
void sum_in_order(const Tensor& parts, Tensor& sum) {
  const int64_t count = sum.elements(), ranks = parts.shape()[0];
  const T* in = parts.data<T>();
  T* out = sum.data<T>();
  for (int64_t i = 0; i < count; ++i) {
    T total = in[i];
    for (int64_t rank = 1; rank < ranks; ++rank) total += in[rank * count + i];
    out[i] = total;
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
      progress_->wait_for(*sums_.front());
      sums_.pop_front();
    }
  }

  void broadcast(Tensor& tensor, int root) override {
    const MPI_Datatype type = mpi_type("broadcast", tensor);
    void* data = tensor.raw();
    run({"broadcast", index_, [=, count = count_of(tensor)](MPI_Comm comm, MPI_Request* request) {
           return MPI_Ibcast(data, count, type, root, comm, request);
         }});
  }

  void all_gather(const Tensor& part, Tensor& whole) override {
    require_gathers(part, whole);
    const MPI_Datatype type = mpi_type("all_gather", part);
    const void* from = part.raw();
    void* to = whole.raw();
    run({"all_gather", index_, [=, count = count_of(part)](MPI_Comm comm, MPI_Request* request) {
           return MPI_Iallgather(from, count, type, to, count, type, comm, request);
         }});
  }

  void barrier() override { run({"barrier", index_, MPI_Ibarrier}); }

  void check_health() override { progress_->check_health(); }

  void finish() override {
    barrier();
    progress_->finish();
  }

  void abort() noexcept override { progress_->abort(); }

 private:
  MpiOperation reduced_sum(const Tensor& tensor, MPI_Datatype type) const {
    return {"all_reduce", index_,
            [type, sum = tensor](MPI_Comm comm, MPI_Request* request) mutable {
              return MPI_Iallreduce(MPI_IN_PLACE, sum.raw(), count_of(sum), type, MPI_SUM, comm,
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
      for_float(sum.dtype(), [&](auto zero) { sum_in_order<decltype(zero)>(parts, sum); });
    };
    return {"all_reduce", index_, begin, end};
  }

  std::shared_ptr<MpiOperation> post(MpiOperation operation) {
    return progress_->post(std::move(operation));
  }

  void run(MpiOperation operation) { progress_->wait_for(*post(std::move(operation))); }

  std::shared_ptr<MpiProgress> progress_;
  const int index_;
  int64_t first_ = 1;                               // number of sums_.front()
  std::deque<std::shared_ptr<MpiOperation>> sums_;  // started and not joined
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
