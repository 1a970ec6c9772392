// The batches that a run trains on.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "apps/ranks/ranks.h"
#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/loader.h"

namespace apps {

// What the ranks of a run have found to be broken. Each reads its own images, so one may find in a
// later epoch what another has found before.
class BrokenOfRanks {
 public:
  // most: see LoaderOptions::max_broken
  BrokenOfRanks(int64_t images, std::optional<int64_t> most) : all_(images, most) {}

  void add(const pixpro::BrokenImage& image) { news_.push_back(image); }
  // Exchanges what is new with all other ranks, which do the same. Throws SharedError if more
  // images are broken than are allowed.
  pixpro::ReasonCounts exchange(const Rank& rank);
  std::string summary() const { return all_.summary(); }

 private:
  pixpro::BrokenImages all_;
  std::vector<pixpro::BrokenImage> news_;
};

struct Batches {
  pixpro::Loader loader;
  std::optional<pixpro::DeviceViews> gpu = {};     // finishes the loader's views
  std::optional<BrokenOfRanks> broken_of_ranks{};  // if there are several

  // The next batch. Broken images that have been found before it, or before an error that ends the
  // run here, are reported, and `broken` becomes the counts of all that this rank has found.
  pixpro::Batch next(pixpro::ReasonCounts& broken);
  // A line on the broken images of all ranks; empty if there are none.
  std::string broken_summary() const {
    return broken_of_ranks ? broken_of_ranks->summary() : loader.broken_summary();
  }

 private:
  void report_broken(pixpro::ReasonCounts& broken);
};

}  // namespace apps
