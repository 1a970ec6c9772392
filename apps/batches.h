// The batches that a run trains on.
#pragma once

#include <memory>
#include <optional>

#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/loader.h"

namespace apps {

struct Batches {
  pixpro::Loader loader;
  std::optional<pixpro::DeviceViews> gpu = {};  // finishes the loader's views

  // The next batch. Broken images that have been found before it, or before an error that ends the
  // run here, are reported, and `broken` becomes the counts of all found so far.
  pixpro::Batch next(pixpro::ReasonCounts& broken);
};

}  // namespace apps
