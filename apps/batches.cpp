#include "apps/batches.h"

#include "apps/console.h"

namespace apps {
namespace {

void report_broken(pixpro::Loader& loader, pixpro::ReasonCounts& broken) {
  const std::vector<pixpro::BrokenImage> found = loader.take_broken();
  for (const pixpro::BrokenImage& image : found) warn("skipped: " + image.reason);
  if (!found.empty()) broken = loader.broken_by_reason();
}

}  // namespace

pixpro::Batch Batches::next(pixpro::ReasonCounts& broken) {
  try {
    pixpro::Batch batch = gpu ? gpu->finish(loader.next_raw()) : loader.next();
    report_broken(loader, broken);
    return batch;
  } catch (...) {
    report_broken(loader, broken);
    throw;
  }
}

}  // namespace apps
