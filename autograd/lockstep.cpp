#include "autograd/lockstep.h"

#include <array>
#include <condition_variable>
#include <exception>
#include <initializer_list>
#include <mutex>
#include <thread>

#include "engine/context.h"
#include "engine/kernels/norm.h"
#include "engine/kernels/pointwise.h"

namespace autograd {
namespace {

using engine::DType;

struct Request {
  const Tensor& x;
  const int64_t parts, count;
  engine::Communicator& ranks;
  RankStatistics result{};
};

// The statistics of one or two tensors of the same shape, as if all parts were those of one.
RankStatistics exchange(std::initializer_list<Tensor> tensors, const Request& request) {
  const engine::Device device = request.x.device();
  const engine::Shape own{request.parts, 2, request.x.shape()[1]};
  const auto parts = request.parts * static_cast<int64_t>(tensors.size());
  RankStatistics all{Tensor({parts, 2, own[2]}, DType::f64, device),
                     Tensor({1}, DType::f64, device)};
  const int64_t values = all.statistics.elements();
  const Tensor message({values + 1}, DType::f64, device);
  Tensor messages({request.ranks.size(), values + 1}, DType::f64, device);
  engine::on_device(device, [&](auto& ctx) {
    int64_t place = 0;
    for (const Tensor& x : tensors) {
      Tensor statistics = message.rows(place, own.elements()).reshape(own);
      batch_norm_statistics(ctx, x, statistics);
      place += own.elements();
    }
    Tensor count = message.rows(values, 1);
    fill(ctx, count, static_cast<double>(request.count));
    request.ranks.all_gather(message, messages);
    batch_norm_merge(ctx, messages, all.statistics, all.count);
  });
  return all;
}

void serve(Request& request) { request.result = exchange({request.x}, request); }

void serve(Request& first, Request& second) {
  if (first.x.shape() != second.x.shape() || first.parts != second.parts) {
    serve(first);
    serve(second);
    return;
  }
  const RankStatistics both = exchange({first.x, second.x}, first);
  first.result = {both.statistics.rows(0, first.parts), both.count};
  second.result = {both.statistics.rows(first.parts, first.parts), both.count};
}

class Lockstep {
 public:
  void run(const std::function<void()>& first, const std::function<void()>& second) {
    std::function<void()> elsewhere = [&] { run_piece(1, second); };
    if constexpr (engine::kHasCuda) elsewhere = engine::with_cuda_contexts(std::move(elsewhere));
    {
      const std::jthread thread(elsewhere);
      run_piece(0, first);
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  // Of the calling thread; null if it runs in none.
  static thread_local Lockstep* current;

  void meet(Request& request) {
    const size_t self = own_piece, other = 1 - self;
    std::unique_lock lock(mutex_);
    require_no_failure();
    if (requests_[other] != nullptr) {
      // In the order of the pieces, so that all ranks do the same.
      self == 0 ? serve(request, *requests_[other]) : serve(*requests_[other], request);
      requests_[other] = nullptr;
      return;
    }
    if (!ended_[other]) {
      requests_[self] = &request;
      pass_turn_to(other);
      changed_.wait(lock, [&] { return turn_ == self; });
      require_no_failure();
      if (requests_[self] == nullptr) return;  // served
      requests_[self] = nullptr;
    }
    serve(request);
  }

 private:
  void run_piece(size_t self, const std::function<void()>& piece) {
    current = this;
    own_piece = self;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == self; });
    lock.unlock();
    std::exception_ptr failure;
    try {
      piece();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (!failure_) failure_ = failure;
    ended_[self] = true;
    current = nullptr;
    pass_turn_to(1 - self);
  }

  void require_no_failure() const {
    engine::require(!failure_, "batch_norm: the other branch has failed");
  }

  void pass_turn_to(size_t piece) {
    turn_ = piece;
    changed_.notify_all();
  }

  static thread_local size_t own_piece;

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t turn_ = 0;
  std::array<Request*, 2> requests_{};  // what a piece waits for
  std::array<bool, 2> ended_{};
  std::exception_ptr failure_;  // the first
};

thread_local Lockstep* Lockstep::current = nullptr;
thread_local size_t Lockstep::own_piece = 0;

}  // namespace

RankStatistics statistics_of_ranks(const Tensor& x, int64_t parts, engine::Communicator& ranks) {
  Request request{x, parts, x.elements() / x.shape()[1] / parts, ranks};
  Lockstep::current == nullptr ? serve(request) : Lockstep::current->meet(request);
  return request.result;
}

void in_lockstep(const std::function<void()>& first, const std::function<void()>& second) {
  Lockstep().run(first, second);
}

}  // namespace autograd
