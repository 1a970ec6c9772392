// Makes the picture of two views and their positive pairs from the images of a run.
#pragma once

#include <filesystem>

#include "pixpro/data/batches/loader.h"
#include "pixpro/report/pair_painting.h"

namespace pixpro {

// The two views that epoch 0 of a run with these options makes of image `sample`, and the positive
// pairs of their feature maps, which have grid x grid cells.
ViewPair make_view_pair(const Image& image, int64_t sample, const LoaderOptions& options,
                        int64_t grid, double pos_ratio);

// Writes the picture of one of the images as PNG. Of up to 32 samples spread over the source, one
// whose views share at least a quarter of their cells is preferred; this can be told without
// reading the images. Only if an image cannot be read is another one tried, and at most eight
// in all. An image with a side over 1024 pixels is shrunk while it is decoded, so its views may
// differ a little from those of the run. Throws Error if the picture cannot be made.
void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
