// The picture of two training views with their positive pairs.
#pragma once

#include <filesystem>
#include <vector>

#include "pixpro/data/loader.h"

namespace pixpro {

// Writes as PNG the two views that epoch 0 of this run makes of one of the files: of up to 32 files
// spread over the list the one with most contrast, if its views share at least a quarter of their
// cells. `grid`: height and width of the feature map. Throws where none of them can be read or the
// picture cannot be written.
void write_pair_picture(const std::filesystem::path& path,
                        const std::vector<std::filesystem::path>& files,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
