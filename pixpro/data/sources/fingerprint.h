// Tells data sets apart without reading their images.
#pragma once

#include <string>

#include "pixpro/data/sources/source.h"

namespace pixpro {

// 16 hexadecimal digits that depend on the paths of all images within the data set, their order,
// and the sizes of up to 4096 of them, spread evenly. Looking at the size of every file would take
// minutes for a million files on a network disk. Where the data set is does not matter, and a
// folder has the same fingerprint as a file into which it was packed unchanged. Throws Error if a
// size cannot be found.
std::string fingerprint_of(const Source& source);

}  // namespace pixpro
