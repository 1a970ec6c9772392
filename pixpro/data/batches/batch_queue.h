// The batches between a loader's workers, which fill them, and the trainer, which takes them in
// order.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <variant>
#include <vector>

#include "engine/error.h"
#include "engine/tensor.h"
#include "pixpro/data/batches/batch.h"
#include "pixpro/data/batches/loader_options.h"
#include "pixpro/data/batches/views.h"

namespace pixpro {

// What a call throws that waited for a batch and was interrupted.
class Interrupted : public engine::Error {
  using Error::Error;
};

struct OpenBatch {
  Batch batch;                                            // without views if they are to be raw
  engine::Tensor raw_views;                               // then
  std::variant<PairRows<float>, PairRows<uint8_t>> rows;  // where the workers write
  std::vector<int64_t> samples;
  int64_t taken = 0, finished = 0;  // images
};

// An image that a worker is to put into a batch.
struct Job {
  OpenBatch* batch;
  int64_t position;

  int64_t epoch() const { return batch->batch.epoch; }
  int64_t sample() const { return batch->samples[static_cast<size_t>(position)]; }
};

class BatchQueue {
 public:
  BatchQueue(int64_t images, const LoaderOptions& options);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // For workers: the next job, none if they are to end. Every job is finished once; a worker that
  // cannot do that says why, and take_batch() throws it.
  std::optional<Job> take_job(const std::stop_token& stop);
  void finish(const Job& job);
  void fail(std::exception_ptr error);

  // Waits until the next batch is full. Throws Interrupted after interrupt(), which may be called
  // from any thread.
  OpenBatch take_batch();
  void interrupt();

  double wait_seconds() const { return wait_seconds_; }  // for the thread that takes batches

 private:
  void open_batch();

  const int64_t images_;
  const LoaderOptions options_;
  const int64_t steps_per_epoch_;
  double wait_seconds_ = 0;

  std::mutex mutex_;  // guards everything below
  std::condition_variable_any work_wanted_, batch_ready_;
  std::deque<OpenBatch> open_;  // in order; the front is handed out next
  int64_t next_batch_;          // to open next, counted from epoch 0
  std::vector<int64_t> order_;  // of the epoch order_epoch_
  int64_t order_epoch_ = -1;
  std::exception_ptr error_;
  bool interrupted_ = false;
};

}  // namespace pixpro
