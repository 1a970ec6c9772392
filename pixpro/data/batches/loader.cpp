#include "pixpro/data/batches/loader.h"

#include <exception>
#include <optional>
#include <stop_token>
#include <utility>

#include "pixpro/data/batches/batch_filler.h"

namespace pixpro {
namespace {

const LoaderOptions& checked(const LoaderOptions& options, int64_t files) {
  const BatchPlan& plan = options.plan;
  engine::require(
      plan.batch_size >= 1 && plan.ranks >= 1 && plan.rank >= 0 && plan.rank < plan.ranks &&
          plan.micro_batches >= 1 && plan.batch_size % plan.micro_batches == 0 &&
          options.workers >= 1 && options.image_size >= 1,
      "loader: batch size ", plan.batch_size, ", rank ", plan.rank, " of ", plan.ranks,
      ", workers ", options.workers, ", image size ", options.image_size,
      ": all must be at least 1, the rank below the number of ranks, and the batch size "
      "a multiple of the ",
      plan.micro_batches, " micro-batches");
  engine::require(plan.steps_per_epoch(files) >= 1, "one step takes ", plan.batch_size * plan.ranks,
                  " images (batch size ", plan.batch_size, " x ", plan.ranks,
                  " ranks) but the data set has only ", files,
                  ": choose a smaller batch size or more images");
  return options;
}

}  // namespace

struct Loader::Crew {
  Crew(std::shared_ptr<const Source> source, const LoaderOptions& options)
      : queue(source->size(), options), filler(std::move(source), options) {}

  void work(const std::stop_token& stop) {
    try {
      std::vector<uint8_t> buffer;
      while (const std::optional<Job> job = queue.take_job(stop)) {
        if (!filler.fill(*job, buffer, stop)) break;
        queue.finish(*job);
      }
    } catch (...) {
      queue.fail(std::current_exception());
    }
  }

  BatchQueue queue;
  BatchFiller filler;
};

Loader::Loader(std::shared_ptr<const Source> source, const LoaderOptions& options)
    : raw_(options.raw),
      crew_(std::make_shared<Crew>(source, checked(options, source->size()))),
      workers_(options.workers, [crew = crew_](const std::stop_token& stop) { crew->work(stop); }) {
}

int64_t Loader::steps_per_epoch() const { return crew_->queue.steps_per_epoch(); }

Batch Loader::next() { return take_batch(false).batch; }

RawBatch Loader::next_raw() {
  const OpenBatch full = take_batch(true);
  const Batch& batch = full.batch;
  return {full.raw_views, batch.boxes, batch.epoch, batch.step};
}

OpenBatch Loader::take_batch(bool raw) {
  engine::require(raw == raw_, "loader: ",
                  raw ? "next_raw() needs a loader with the option raw"
                      : "with the option raw, batches come from next_raw()");
  return crew_->queue.take_batch();
}

void Loader::interrupt() { crew_->queue.interrupt(); }

std::vector<BrokenImage> Loader::take_broken() { return crew_->filler.broken().take_new(); }

std::string Loader::broken_summary() const { return crew_->filler.broken().summary(); }

ReasonCounts Loader::broken_by_reason() const { return crew_->filler.broken().by_reason(); }

double Loader::wait_seconds() const { return crew_->queue.wait_seconds(); }

}  // namespace pixpro
