// Puts images into batches: reads them, makes their views, and replaces those that are broken.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "pixpro/data/batches/batch_queue.h"
#include "pixpro/data/batches/broken_images.h"
#include "pixpro/data/batches/loader_options.h"
#include "pixpro/data/codecs/decode_memory.h"
#include "pixpro/data/sources/retry.h"
#include "pixpro/data/sources/source.h"

namespace pixpro {

// Shared by all workers of a loader.
class BatchFiller {
 public:
  BatchFiller(std::shared_ptr<const Source> source, const LoaderOptions& options);

  // Writes the views of the job's image or, if that is broken, of the first of its Substitutes that
  // is not. The random streams are always those of the job's image, so two images that are replaced
  // by the same one have different views. Returns false if it was told to stop. Throws ReadError
  // if storage stays away for longer than the patience, and Error if no image can be used or more
  // are broken than is accepted. `buffer` is the worker's own.
  bool fill(const Job& job, std::vector<uint8_t>& buffer, const std::stop_token& stop);

  BrokenImages& broken() { return broken_; }

 private:
  enum class Outcome { filled, broken, stopped };
  Outcome try_image(int64_t image, const Job& job, std::vector<uint8_t>& buffer,
                    const std::stop_token& stop);

  const std::shared_ptr<const Source> source_;
  const LoaderOptions options_;
  Retry retry_;
  DecodeMemory decode_memory_;
  BrokenImages broken_;
};

}  // namespace pixpro
