// One pair of functions a file format, behind decode_image and write_png.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pixpro/data/decoder.h"
#include "pixpro/data/image.h"

namespace pixpro {

bool is_jpeg(std::span<const uint8_t> bytes);
bool is_png(std::span<const uint8_t> bytes);

// Throw Error where the bytes are damaged, cut short, or too large a picture.
std::unique_ptr<Decoder> open_jpeg(std::span<const uint8_t> bytes);
Image decode_jpeg(std::span<const uint8_t> bytes);
Image decode_png(std::span<const uint8_t> bytes);
std::vector<uint8_t> encode_png(const Image& image);

// Baseline, chroma halved in both directions; quality 1 to 100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);

// Throws Error unless 1 <= side <= 65500 and width * height <= 2^28.
void require_decodable_size(int64_t width, int64_t height);

// Throws Error unless the region has pixels and lies in the picture.
void require_region(const Box& region, Size size);

}  // namespace pixpro
