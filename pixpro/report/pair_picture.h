// The picture of two training views with their positive pairs.
#pragma once

#include <filesystem>

#include "pixpro/data/batches/loader.h"
#include "pixpro/report/pair_painting.h"

namespace pixpro {

// The two views that epoch 0 of a run with these options makes of the picture numbered `sample`,
// and which cells of their feature maps, `grid` high and wide, are positive pairs.
ViewPair make_view_pair(const Image& image, int64_t sample, const LoaderOptions& options,
                        int64_t grid, double pos_ratio);

// Writes as PNG the two views that epoch 0 of this run makes of one of the images: of up to 32 of
// them, spread over the source, the one with most contrast, if its views share at least a quarter
// of their cells. `grid`: height and width of the feature map. Throws where none of them can be
// read or the picture cannot be written.
void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio);

}  // namespace pixpro
