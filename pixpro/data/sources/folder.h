// Finds the images of a data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pixpro/data/sources/skipped.h"
#include "pixpro/data/sources/string_list.h"

namespace pixpro {

// What of a data set is not to be used.
struct Selection {
  std::vector<std::string> exclude = {};  // shell patterns, see excludes()
  // Files and folders that a run writes. They are recognised by device and inode, whatever the path
  // looks like. Those that do not exist yet do not matter.
  std::vector<std::filesystem::path> written = {};
};

// The images of a folder, by their path relative to it. Takes about 12 bytes per image besides the
// characters of its name.
struct ImageList {
  StringList folders;  // "" or with a slash at the end
  StringList names;    // of the images, within their folder
  std::vector<uint32_t> folder_of;
  Skipped skipped;

  int64_t size() const { return names.size(); }
  std::string path(int64_t i) const;
};

// All images at any depth below `folder`, ordered bytewise by their relative path, so that the
// order is the same on every machine. These are
//   - files whose name ends in .jpg .jpeg .jpe .jfif .jif .png .webp .tif .tiff .bmp .gif .psd .tga
//     .pgm .ppm or .pnm, in any case,
//   - files without an ending (see ending_of) whose first bytes are those of such a format, apart
//     from TGA, which has no signature.
// All others are skipped and counted, among them hidden files and folders, those of systems (see
// reserved_name), links to nothing, and the picture in the output folder of any run. Only names
// below `folder` count: the folder itself may be hidden. Symbolic links are followed. A folder that
// several paths lead to is entered once, by the path that is first in the order. A folder without
// permission is skipped, unless it is `folder` itself. Throws Error if there is no such folder or
// no image in it, or if the disk fails.
ImageList list_images(const std::filesystem::path& folder, const Selection& selection = {});

}  // namespace pixpro
