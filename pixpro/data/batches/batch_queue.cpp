#include "pixpro/data/batches/batch_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "pixpro/data/batches/raw_view.h"

namespace pixpro {
namespace {

// How many batches the workers fill at a time: one that is nearly full and one to begin, and more
// if batches are so small that two do not keep every worker busy.
size_t most_open_batches(const LoaderOptions& options) {
  return 2 + static_cast<size_t>(options.workers / options.plan.batch_size);
}

}  // namespace

BatchQueue::BatchQueue(int64_t images, const LoaderOptions& options)
    : images_(images),
      options_(options),
      steps_per_epoch_(options.plan.steps_per_epoch(images)),
      next_batch_(options.first_epoch * steps_per_epoch_ + options.first_step) {}

OpenBatch BatchQueue::take_batch() {
  std::unique_lock lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  batch_ready_.wait(lock, [this] {
    return interrupted_ || error_ ||
           (!open_.empty() && open_.front().finished == options_.plan.batch_size);
  });
  wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (interrupted_) throw Interrupted("interrupted while images were read");
  if (error_) std::rethrow_exception(error_);
  OpenBatch full = std::move(open_.front());
  open_.pop_front();
  work_wanted_.notify_all();
  return full;
}

void BatchQueue::interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  batch_ready_.notify_one();
}

void BatchQueue::finish(const Job& job) {
  const std::lock_guard lock(mutex_);
  if (++job.batch->finished == options_.plan.batch_size) batch_ready_.notify_one();
}

void BatchQueue::fail(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  batch_ready_.notify_one();
}

std::optional<Job> BatchQueue::take_job(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto unfilled = [this] {
    return std::find_if(open_.begin(), open_.end(), [this](const OpenBatch& open) {
      return open.taken < options_.plan.batch_size;
    });
  };
  const bool wanted = work_wanted_.wait(lock, stop, [&] {
    return unfilled() != open_.end() || open_.size() < most_open_batches(options_);
  });
  if (!wanted || stop.stop_requested() || error_) return std::nullopt;
  if (unfilled() == open_.end()) open_batch();
  OpenBatch& open = *unfilled();
  return Job{&open, open.taken++};
}

void BatchQueue::open_batch() {
  const int64_t epoch = next_batch_ / steps_per_epoch_, step = next_batch_ % steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = epoch_order(images_, options_.seed, epoch);
    order_epoch_ = epoch;
  }
  const int64_t count = options_.plan.batch_size, size = options_.image_size;
  OpenBatch open;
  open.batch.boxes = engine::Tensor({2 * count, 4});
  open.batch.epoch = epoch;
  open.batch.step = step;
  float* boxes = open.batch.boxes.data<float>();
  if (options_.raw) {
    const int64_t bytes = raw_view_bytes(options_.image_size);
    open.raw_views = engine::Tensor({2 * count, bytes}, engine::DType::u8);
    open.rows = PairRows<uint8_t>{open.raw_views.data<uint8_t>(), boxes, bytes, count};
  } else {
    open.batch.views = engine::Tensor({2 * count, 3, size, size});
    open.rows = PairRows<float>{open.batch.views.data<float>(), boxes, 3 * size * size, count};
  }
  for (int64_t i = 0; i < count; ++i) {
    open.samples.push_back(order_[static_cast<size_t>(options_.plan.place(step, i))]);
  }
  open_.push_back(std::move(open));
  ++next_batch_;
}

}  // namespace pixpro
