// Worker threads that read, augment and normalise pictures ahead of the trainer. Batches come in
// order, and their content depends only on (seed, epoch, sample, view): never on the number of
// workers or their speed.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/tensor.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/batches/views.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {

struct Batch {
  // N first views, N second. f32 plain [2N,3,size,size], ImageNet mean/std; raw ones are for
  // DeviceViews (device_views.h): u8 [2N, raw_view_bytes(size)].
  engine::Tensor views;
  engine::Tensor boxes;         // f32 [2N,4]: x0, y0, x1, y1 (see view_coordinates)
  int64_t epoch = 0, step = 0;  // step within the epoch

  int64_t size() const { return views.shape()[0] / 2; }  // N
  engine::Tensor view(int index) const { return views.rows(index * size(), size()); }
  engine::Tensor boxes_of(int index) const { return boxes.rows(index * size(), size()); }
};

struct BrokenImage {
  int64_t sample = 0;
  std::string name;    // as its source gives it
  std::string reason;  // begins with the name
};

struct LoaderOptions {
  BatchPlan plan;
  PairRecipe recipe = recipe_named("BYOL", 0.08);
  int image_size = 224;  // pixels a side of a view
  uint64_t seed = 0;
  int workers = 4;
  // Where a resumed run goes on, whose first step may be more than an epoch has, and the samples it
  // had found to be broken: they are counted, but neither read nor reported again.
  int64_t first_epoch = 0, first_step = 0;
  std::vector<int64_t> known_broken = {};
  std::optional<int64_t> max_broken = {};  // more broken images than this are an error
  bool raw = false;                        // a CUDA device is to finish the views
};

class Loader {
 public:
  // Throws Error where a whole step needs more pictures than there are. The source must outlive the
  // loader.
  Loader(const Source& source, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t steps_per_epoch() const { return steps_per_epoch_; }

  // The next batch; epoch follows epoch without end or gap. A picture that cannot be read is
  // replaced by the next readable one of the source (cyclic), with that one's random stream. Throws
  // Error where no picture can be read or too many cannot, and whatever else went wrong in a
  // worker.
  Batch next();

  // Pictures found to be broken since the last call, each once. May be asked after an error too.
  std::vector<BrokenImage> take_broken();

  // How long next() has waited for workers, in all. Only for the thread that calls next().
  double wait_seconds() const { return wait_seconds_; }

 private:
  struct OpenBatch {
    Batch batch;
    std::vector<int64_t> samples;
    char* views = nullptr;
    float* boxes = nullptr;
    int64_t taken = 0, finished = 0;
  };
  struct Job {
    OpenBatch* batch;
    int64_t position;
  };

  void work(const std::stop_token& stop);
  std::optional<Job> take_job(const std::stop_token& stop);
  void open_batch();
  void fill(const Job& job, std::vector<uint8_t>& buffer);
  template <class View>
  Slots<View> slots_of(const Job& job) const;
  bool try_fill(const Job& job, int64_t sample, std::vector<uint8_t>& buffer);
  void note_broken(int64_t sample, const std::string& reason);

  const Source& source_;
  const LoaderOptions options_;
  const int64_t steps_per_epoch_;
  double wait_seconds_ = 0;  // the consumer's alone

  std::mutex mutex_;  // guards everything below
  std::condition_variable_any work_wanted_, batch_ready_;
  std::deque<OpenBatch> open_;  // in order; the front is the next to be handed out
  int64_t next_batch_;          // to be opened, counted from epoch 0
  std::vector<int64_t> order_;  // of the epoch order_epoch_
  int64_t order_epoch_ = -1;
  std::vector<bool> known_broken_;
  int64_t broken_ = 0;
  std::string last_reason_;
  std::vector<BrokenImage> new_broken_;
  std::exception_ptr error_;

  std::vector<std::jthread> threads_;  // last: ends before what it uses
};

}  // namespace pixpro
