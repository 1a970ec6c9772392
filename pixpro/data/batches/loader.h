// Worker threads that read, augment and normalise images ahead of the trainer. Batches come in
// order, and their content depends only on the data and (seed, epoch, sample, view), never on the
// number of workers, their speed, or what has been read before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pixpro/data/background_threads.h"
#include "pixpro/data/batches/batch.h"
#include "pixpro/data/batches/batch_queue.h"
#include "pixpro/data/batches/broken_images.h"
#include "pixpro/data/batches/loader_options.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {

class Loader {
 public:
  // Throws Error if a single step needs more images than there are. The workers end with the
  // loader, unless one hangs in a read, as on a network disk that is away.
  Loader(std::shared_ptr<const Source> source, const LoaderOptions& options);

  int64_t steps_per_epoch() const;

  // The next batch; epoch follows epoch without end. A broken image is replaced, see BatchFiller.
  // If storage cannot be read, it waits for as long as LoaderOptions::patience says and then throws
  // engine::ReadError. Throws Error if no image can be used or too many cannot, and whatever else
  // went wrong in a worker. next() is for a loader without `raw`, next_raw() for one with it.
  Batch next();
  RawBatch next_raw();

  // Has next() and next_raw() throw Interrupted, at once and in all later calls. May be called from
  // any thread.
  void interrupt();

  // The images found to be broken since the last call, each once. Works after an error too.
  std::vector<BrokenImage> take_broken();

  // One line on all broken images found so far; empty if there are none.
  std::string broken_summary() const;

  // Their counts, see BrokenImages::by_reason().
  ReasonCounts broken_by_reason() const;

  // Seconds that next() and next_raw() have waited for workers. For the thread that calls them.
  double wait_seconds() const;

 private:
  struct Crew;  // what the workers share
  OpenBatch take_batch(bool raw);

  const bool raw_;
  const std::shared_ptr<Crew> crew_;
  const BackgroundThreads workers_;
};

}  // namespace pixpro
