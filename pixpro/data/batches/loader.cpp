#include "pixpro/data/batches/loader.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "engine/error.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/data/batches/views.h"

namespace pixpro {
namespace {

// How many batches the workers fill at a time: one that is nearly full and one to begin, and more
// if batches are so small that two do not keep every worker busy.
size_t most_open_batches(const LoaderOptions& options) {
  return 2 + static_cast<size_t>(options.workers / options.plan.batch_size);
}

const LoaderOptions& checked(const LoaderOptions& options, int64_t files) {
  const BatchPlan& plan = options.plan;
  engine::require(plan.batch_size >= 1 && plan.ranks >= 1 && plan.rank >= 0 &&
                      plan.rank < plan.ranks && options.workers >= 1 && options.image_size >= 1,
                  "loader: batch size ", plan.batch_size, ", rank ", plan.rank, " of ", plan.ranks,
                  ", workers ", options.workers, ", image size ", options.image_size,
                  ": all must be at least 1, and the rank below the number of ranks");
  engine::require(plan.steps_per_epoch(files) >= 1, "one step takes ", plan.batch_size * plan.ranks,
                  " images (batch size ", plan.batch_size, " x ", plan.ranks,
                  " processes) but the data set has only ", files,
                  ": choose a smaller batch size or more images");
  for (const int64_t sample : options.known_broken) {
    engine::require(0 <= sample && sample < files, "loader: image ", sample,
                    " is known to be broken, but there are only ", files);
  }
  const auto known = static_cast<int64_t>(options.known_broken.size());
  engine::require(known <= options.max_broken.value_or(known), known, " of the ", files,
                  " images are already known to be broken, more than the ",
                  options.max_broken.value_or(0), " that --max-broken allows");
  return options;
}

}  // namespace

Loader::Loader(const Source& source, const LoaderOptions& options)
    : source_(source),
      options_(checked(options, source.size())),
      steps_per_epoch_(options.plan.steps_per_epoch(source.size())),
      next_batch_(options.first_epoch * steps_per_epoch_ + options.first_step),
      known_broken_(static_cast<size_t>(source.size())),
      broken_(static_cast<int64_t>(options.known_broken.size())) {
  for (const int64_t sample : options.known_broken) {
    known_broken_[static_cast<size_t>(sample)] = true;
  }
  for (int i = 0; i < options.workers; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

Loader::~Loader() {
  for (std::jthread& thread : threads_) thread.request_stop();  // all of them before any is joined
}

Batch Loader::next() { return take_batch(false).batch; }

RawBatch Loader::next_raw() {
  const OpenBatch full = take_batch(true);
  const Batch& batch = full.batch;
  return {full.raw_views, batch.boxes, batch.epoch, batch.step};
}

Loader::OpenBatch Loader::take_batch(bool raw) {
  engine::require(raw == options_.raw, "loader: ",
                  raw ? "next_raw() needs a loader with the option raw"
                      : "with the option raw, batches come from next_raw()");
  std::unique_lock lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  batch_ready_.wait(lock, [this] {
    return error_ || (!open_.empty() && open_.front().finished == options_.plan.batch_size);
  });
  wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (error_) std::rethrow_exception(error_);
  OpenBatch full = std::move(open_.front());
  open_.pop_front();
  work_wanted_.notify_all();
  return full;
}

std::vector<BrokenImage> Loader::take_broken() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_broken_, {});
}

void Loader::work(const std::stop_token& stop) {
  try {
    std::vector<uint8_t> buffer;
    while (const std::optional<Job> job = take_job(stop)) {
      fill(*job, buffer);
      const std::lock_guard lock(mutex_);
      if (++job->batch->finished == options_.plan.batch_size) batch_ready_.notify_one();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
    batch_ready_.notify_one();
  }
}

std::optional<Loader::Job> Loader::take_job(const std::stop_token& stop) {
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

void Loader::open_batch() {
  const int64_t epoch = next_batch_ / steps_per_epoch_, step = next_batch_ % steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = epoch_order(source_.size(), options_.seed, epoch);
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
  const auto first = order_.begin() + options_.plan.first(step);
  open.samples.assign(first, first + count);
  open_.push_back(std::move(open));
  ++next_batch_;
}

void Loader::fill(const Job& job, std::vector<uint8_t>& buffer) {
  const int64_t wanted = job.batch->samples[static_cast<size_t>(job.position)];
  for (int64_t skipped = 0; skipped < source_.size(); ++skipped) {
    if (try_fill(job, (wanted + skipped) % source_.size(), buffer)) return;
  }
  const std::lock_guard lock(mutex_);
  engine::fail("none of the ", source_.size(), " images can be read; one of them: ", last_reason_);
}

// Returns false if the image is broken.
bool Loader::try_fill(const Job& job, int64_t sample, std::vector<uint8_t>& buffer) {
  {
    const std::lock_guard lock(mutex_);
    if (known_broken_[static_cast<size_t>(sample)]) return false;
  }
  const int64_t epoch = job.batch->batch.epoch;
  try {
    const Bytes bytes = source_.read(sample, buffer);
    const std::array streams{view_stream(options_.seed, epoch, sample, 0),
                             view_stream(options_.seed, epoch, sample, 1)};
    const auto make = [&](const auto& rows) {
      make_views(bytes, options_.recipe, options_.image_size, streams, rows.slots(job.position),
                 options_.decoding);
    };
    std::visit(make, job.batch->rows);
    return true;
  } catch (const engine::Error& error) {
    note_broken(sample, error.what());
  } catch (const std::bad_alloc&) {
    note_broken(sample, "there is not enough memory for it");
  }
  return false;
}

void Loader::note_broken(int64_t sample, const std::string& reason) {
  const std::string name = source_.name(sample);
  const std::lock_guard lock(mutex_);
  if (known_broken_[static_cast<size_t>(sample)]) return;  // another worker was faster
  known_broken_[static_cast<size_t>(sample)] = true;
  ++broken_;
  last_reason_ = name + ": " + reason;
  new_broken_.push_back({sample, name, last_reason_});
  engine::require(!options_.max_broken || broken_ <= *options_.max_broken, broken_, " of the ",
                  source_.size(), " images are broken, more than the ",
                  options_.max_broken.value_or(0),
                  " that --max-broken allows; the last: ", last_reason_);
}

}  // namespace pixpro
