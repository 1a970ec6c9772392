// The picture of two training views with their positive pairs.
#pragma once

#include <filesystem>

#include "pixpro/data/loader.h"

namespace pixpro {

// Writes as PNG the two views that epoch 0 of this run makes of one of the images: of up to 32 of
// them, spread over the source, the one with most contrast, if its views share at least a quarter
// of their cells. `grid`: height and width of the feature map. Throws where none of them can be
// read or the picture cannot be written.
void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
