#include "pixpro/data/batches/batch_filler.h"

#include <array>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

void write_views(Bytes bytes, const Job& job, const LoaderOptions& options) {
  const std::array streams{view_stream(options.seed, job.epoch(), job.sample(), 0),
                           view_stream(options.seed, job.epoch(), job.sample(), 1)};
  const auto write = [&](const auto& rows) {
    make_views(bytes, options.recipe, options.image_size, streams, rows.slots(job.position),
               options.decoding);
  };
  std::visit(write, job.batch->rows);
}

}  // namespace

BatchFiller::BatchFiller(std::shared_ptr<const Source> source, const LoaderOptions& options)
    : source_(std::move(source)),
      options_(options),
      retry_(options.patience),
      decode_memory_(options.decode_memory_bytes),
      broken_(source_->size(), options.max_broken) {}

bool BatchFiller::fill(const Job& job, std::vector<uint8_t>& buffer, const std::stop_token& stop) {
  const int64_t wanted = job.sample(), count = source_->size();
  Outcome outcome = try_image(wanted, job, buffer, stop);
  if (outcome == Outcome::broken && count > 1) {
    Substitutes others(count, options_.seed, job.epoch(), wanted);
    for (int64_t tried = 1; tried < count && outcome == Outcome::broken; ++tried) {
      outcome = try_image(others.next(), job, buffer, stop);
    }
  }
  engine::require(outcome != Outcome::broken, "none of the ", count,
                  " images can be used: ", broken_.summary());
  return outcome == Outcome::filled;
}

BatchFiller::Outcome BatchFiller::try_image(int64_t image, const Job& job,
                                            std::vector<uint8_t>& buffer,
                                            const std::stop_token& stop) {
  if (broken_.is_known(image)) return Outcome::broken;
  if (stop.stop_requested()) return Outcome::stopped;
  bool is_still_lost = false;
  const auto attempt = [&] {
    const DecodeMemory::Share share(decode_memory_);
    try {
      write_views(source_->read(image, buffer), job, options_);
    } catch (const LostFile&) {
      is_still_lost = broken_.is_noted(image);
      if (!is_still_lost) throw;  // it may be there in a moment
    } catch (const engine::Error&) {
      if (!share.is_affordable()) throw std::bad_alloc();
      throw;
    }
  };
  const auto name = [&] { return source_->name(image); };
  try {
    if (!retry_.run(stop, name, attempt)) return Outcome::stopped;
    return is_still_lost ? Outcome::broken : Outcome::filled;
  } catch (const LostFile& error) {
    broken_.note(image, name(), error.what(), /*for_good=*/false);
  } catch (const engine::ReadError&) {
    throw;
  } catch (const engine::Error& error) {
    // Decoders complain of the header or of all data before they hand out the first row, so this
    // does not depend on the views, and every run finds the same images broken.
    broken_.note(image, name(), error.what(), /*for_good=*/true);
  }
  return Outcome::broken;
}

}  // namespace pixpro
