// Worker threads that read, augment and normalise images ahead of the trainer. Batches come in
// order, and their content depends only on (seed, epoch, sample, view), never on the number of
// workers or their speed.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/tensor.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/batches/batch.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/batches/views.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {

struct BrokenImage {
  int64_t sample = 0;
  std::string name;    // as its source gives it
  std::string reason;  // begins with the name
};

struct LoaderOptions {
  BatchPlan plan;
  PairRecipe recipe = recipe_named("BYOL", 0.08);
  int image_size = 224;  // of a view: pixels per side
  uint64_t seed = 0;
  int workers = 4;
  DecodeOptions decoding = {};
  // Where a resumed run continues; first_step may exceed the steps of an epoch. The broken images
  // that the run has met count as broken, but are neither read nor reported again.
  int64_t first_epoch = 0, first_step = 0;
  std::vector<int64_t> known_broken = {};
  std::optional<int64_t> max_broken = {};  // more broken images than this are an error
  bool raw = false;                        // batches are RawBatch, for a CUDA device to finish
};

class Loader {
 public:
  // Throws Error if a single step needs more images than there are. The source must outlive the
  // loader.
  Loader(const Source& source, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // The next batch; epoch follows epoch without end. An image that cannot be read is replaced by
  // the next readable one of the source (cyclically), with that one's random stream. Throws Error
  // if no image can be read or too many cannot, and whatever else went wrong in a worker. next() is
  // for a loader without `raw`, next_raw() for one with it.
  Batch next();
  RawBatch next_raw();

  // The images found to be broken since the last call, each once. Works after an error too.
  std::vector<BrokenImage> take_broken();

  // Seconds that next() and next_raw() have waited for workers. For the thread that calls them.
  double wait_seconds() const { return wait_seconds_; }

 private:
  struct OpenBatch {
    Batch batch;                                            // without views if they are to be raw
    engine::Tensor raw_views;                               // then
    std::variant<PairRows<float>, PairRows<uint8_t>> rows;  // where the workers write
    std::vector<int64_t> samples;
    int64_t taken = 0, finished = 0;  // images
  };
  struct Job {
    OpenBatch* batch;
    int64_t position;
  };

  OpenBatch take_batch(bool raw);
  void work(const std::stop_token& stop);
  std::optional<Job> take_job(const std::stop_token& stop);
  void open_batch();
  void fill(const Job& job, std::vector<uint8_t>& buffer);
  bool try_fill(const Job& job, int64_t sample, std::vector<uint8_t>& buffer);
  void note_broken(int64_t sample, const std::string& reason);

  const Source& source_;
  const LoaderOptions options_;
  const int64_t steps_per_epoch_;
  double wait_seconds_ = 0;  // of the consuming thread

  std::mutex mutex_;  // guards everything below
  std::condition_variable_any work_wanted_, batch_ready_;
  std::deque<OpenBatch> open_;  // in order; the front is handed out next
  int64_t next_batch_;          // to open next, counted from epoch 0
  std::vector<int64_t> order_;  // of the epoch order_epoch_
  int64_t order_epoch_ = -1;
  std::vector<bool> known_broken_;
  int64_t broken_ = 0;
  std::string last_reason_;
  std::vector<BrokenImage> new_broken_;
  std::exception_ptr error_;

  std::vector<std::jthread> threads_;  // last: must end before what they use
};

}  // namespace pixpro
