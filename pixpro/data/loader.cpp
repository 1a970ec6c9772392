#include "pixpro/data/loader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/error.h"
#include "pixpro/data/image.h"

namespace pixpro {
namespace {

// Batches in preparation at a time: one to finish, one to begin while its last pictures are read.
constexpr size_t kOpenBatches = 2;

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
  return options;
}

}  // namespace

Loader::Loader(std::vector<std::filesystem::path> files, const LoaderOptions& options)
    : files_(std::move(files)),
      options_(checked(options, static_cast<int64_t>(files_.size()))),
      steps_per_epoch_(options.plan.steps_per_epoch(static_cast<int64_t>(files_.size()))),
      next_batch_(options.first_epoch * steps_per_epoch_ + options.first_step),
      known_broken_(files_.size()) {
  for (int i = 0; i < options.workers; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

Loader::~Loader() {
  for (std::jthread& thread : threads_) thread.request_stop();  // all at once, then joined
}

Batch Loader::next() {
  std::unique_lock lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  batch_ready_.wait(lock, [this] {
    return error_ || (!open_.empty() && open_.front().finished == options_.plan.batch_size);
  });
  wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (error_) std::rethrow_exception(error_);
  Batch batch = std::move(open_.front().batch);
  open_.pop_front();
  work_wanted_.notify_all();
  return batch;
}

std::vector<BrokenImage> Loader::take_broken() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_broken_, {});
}

void Loader::work(const std::stop_token& stop) {
  try {
    while (const std::optional<Job> job = take_job(stop)) {
      fill(*job);
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
  const bool wanted = work_wanted_.wait(
      lock, stop, [&] { return unfilled() != open_.end() || open_.size() < kOpenBatches; });
  if (!wanted || stop.stop_requested() || error_) return std::nullopt;
  if (unfilled() == open_.end()) open_batch();
  OpenBatch& open = *unfilled();
  return Job{&open, open.taken++};
}

void Loader::open_batch() {
  const int64_t epoch = next_batch_ / steps_per_epoch_, step = next_batch_ % steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = epoch_order(static_cast<int64_t>(files_.size()), options_.seed, epoch);
    order_epoch_ = epoch;
  }
  const int64_t count = options_.plan.batch_size, size = options_.image_size;
  OpenBatch open;
  open.batch = {engine::Tensor({2 * count, 3, size, size}), engine::Tensor({2 * count, 4}), epoch,
                step};
  open.views = open.batch.views.data<float>();
  open.coords = open.batch.coords.data<float>();
  const auto first = order_.begin() + options_.plan.first(step);
  open.samples.assign(first, first + count);
  open_.push_back(std::move(open));
  ++next_batch_;
}

void Loader::fill(const Job& job) {
  const auto files = static_cast<int64_t>(files_.size());
  const int64_t wanted = job.batch->samples[static_cast<size_t>(job.position)];
  PairSlots slots;
  for (int64_t v = 0; v < 2; ++v) {
    const int64_t row = v * options_.plan.batch_size + job.position;
    const int64_t size = options_.image_size;
    slots.views[static_cast<size_t>(v)] = job.batch->views + row * 3 * size * size;
    slots.coords[static_cast<size_t>(v)] = job.batch->coords + row * 4;
  }
  std::string reason;
  for (int64_t skipped = 0; skipped < files; ++skipped) {
    const int64_t sample = (wanted + skipped) % files;
    if (try_views(sample, job.batch->batch.epoch, slots, reason)) return;
  }
  engine::fail("none of the ", files, " images can be read; one of them: ", reason);
}

// False where the picture is broken; the reason is kept from the first time.
bool Loader::try_views(int64_t sample, int64_t epoch, const PairSlots& slots, std::string& reason) {
  const auto index = static_cast<size_t>(sample);
  {
    const std::lock_guard lock(mutex_);
    if (known_broken_[index]) return false;
  }
  const std::filesystem::path& path = files_[index];
  try {
    const std::vector<uint8_t> bytes = read_file(path);
    try {
      make_views(bytes, options_.recipe, options_.image_size,
                 {view_stream(options_.seed, epoch, sample, 0),
                  view_stream(options_.seed, epoch, sample, 1)},
                 slots);
      return true;
    } catch (const engine::Error& error) {
      engine::fail(path.string(), ": ", error.what());
    }
  } catch (const engine::Error& error) {
    reason = error.what();
  }
  const std::lock_guard lock(mutex_);
  if (!known_broken_[index]) new_broken_.push_back({path, reason});
  known_broken_[index] = true;
  return false;
}

}  // namespace pixpro
