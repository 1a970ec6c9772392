// stb_image, which unpacks the pixels of BMP, GIF, PSD and TGA files.
#pragma once

#include <vector>

#include "pixpro/data/image.h"

namespace pixpro {

// The pixels of a file of `size`: [height, width, channels] with 1 (gray), 2 (gray, alpha) or 3
// (red, green, blue) channels. stb_image believes what headers say and reads zeros past the end of
// a file. The callers therefore check a file first, and hand over the plainest one that holds the
// same pixels. Throws Error, beginning with `format`, if stb_image finds damage.
std::vector<uint8_t> unpack_with_stb(const char* format, Bytes file, Size size, int channels);

// Put such files together. A number has `bytes` bytes.
void append(std::vector<uint8_t>& file, Bytes part);
void append_little_endian(std::vector<uint8_t>& file, uint32_t number, size_t bytes);
void append_big_endian(std::vector<uint8_t>& file, uint32_t number, size_t bytes);

}  // namespace pixpro
