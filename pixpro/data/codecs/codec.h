// One pair of functions a file format, behind decode_image, write_png and the packed file.
#pragma once

#include <cstdint>
#include <vector>

#include "pixpro/data/codecs/decoder.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Whether the first bytes are those of the format.
bool is_bmp(Bytes bytes);
bool is_jpeg(Bytes bytes);
bool is_png(Bytes bytes);
bool is_pnm(Bytes bytes);  // PBM, PGM and PPM, as text and as bytes
bool is_tiff(Bytes bytes);
bool is_webp(Bytes bytes);

// Throw Error where the bytes are damaged, cut short, or too large a picture.
Image decode_bmp(Bytes bytes);
Image decode_jpeg(Bytes bytes);
Image decode_png(Bytes bytes);
Image decode_pnm(Bytes bytes);
Image decode_tiff(Bytes bytes);
Image decode_webp(Bytes bytes);
std::unique_ptr<Decoder> open_jpeg(Bytes bytes);

std::vector<uint8_t> encode_png(const Image& image);

// Baseline, chroma halved in both directions; quality 1 to 100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);

// Throws Error unless 1 <= side <= 65500 and width * height <= 2^28.
void require_decodable_size(int64_t width, int64_t height);

// Throws Error unless the region has pixels and lies in the picture.
void require_region(const Box& region, Size size);

}  // namespace pixpro
