// The picture of two training views with their positive pairs.
#pragma once

#include <filesystem>

#include "pixpro/data/loader.h"

namespace pixpro {

// Writes as PNG the two views that epoch 0 of this run makes of one of the images: the first whose
// views share at least a quarter of their cells, or else the first readable one. `grid`: height and
// width of the feature map. Throws where no image can be read or the picture cannot be written.
void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
