// Finds the images of a data set.
#pragma once

#include <filesystem>
#include <vector>

namespace pixpro {

// The paths of all files at any depth below `folder` whose name ends as an image's does (.jpg .jpeg
// .png .webp .tif .tiff .bmp .gif .psd .tga .pgm .ppm .pnm, in any case). They are ordered bytewise
// by their path relative to `folder`, so that the order is the same on every machine. Symbolic
// links are followed, except to a folder that contains them; one that leads nowhere is listed, and
// reported when it is read. Throws Error if there is no such folder or no such file in it.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder);

}  // namespace pixpro
