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

// Writes the picture of one of the images as PNG. Up to 32 images, spread over the source, are
// tried. Those whose views share at least a quarter of their cells are preferred, and among these
// the one with the most contrast. Throws Error if none can be read or the picture cannot be
// written.
void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
