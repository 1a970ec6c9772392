// What a loader does.
#pragma once

#include <cstdint>
#include <optional>

#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/image.h"
#include "pixpro/data/sources/retry.h"

namespace pixpro {

struct LoaderOptions {
  BatchPlan plan;
  PairRecipe recipe = recipe_named("BYOL", 0.08);
  int image_size = 224;  // of a view: pixels per side
  uint64_t seed = 0;
  int workers = 4;
  DecodeOptions decoding = {};
  // Where a resumed run continues; first_step may exceed the steps of an epoch.
  int64_t first_epoch = 0, first_step = 0;
  // More broken images than this are an error. By default more than a tenth of all, but at least
  // one is accepted.
  std::optional<int64_t> max_broken = {};
  Patience patience = {};                          // with storage that is away
  int64_t decode_memory_bytes = int64_t{4} << 30;  // of all workers together, see DecodeMemory
  bool raw = false;  // batches are RawBatch, for a CUDA device to finish
};

}  // namespace pixpro
