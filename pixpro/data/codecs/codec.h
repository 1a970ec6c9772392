// One pair of functions per file format, behind decode_image, write_png and the packed file.
#pragma once

#include <cstdint>
#include <vector>

#include "pixpro/data/codecs/decoder.h"
#include "pixpro/data/codecs/wide_samples.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Whether the first bytes are those of the format.
bool is_bmp(Bytes bytes);
bool is_gif(Bytes bytes);
bool is_jpeg(Bytes bytes);
bool is_png(Bytes bytes);
bool is_pnm(Bytes bytes);
bool is_psd(Bytes bytes);
bool is_tga(Bytes bytes);  // has no signature: ask last
bool is_tiff(Bytes bytes);
bool is_webp(Bytes bytes);

// For bytes of the format. Throw Error if they are damaged or cut short, or if the image is too
// large or of a kind that is not read.
Image decode_bmp(Bytes bytes);
Image decode_gif(Bytes bytes);
Image decode_jpeg(Bytes bytes);
Image decode_png(Bytes bytes, WideSamples& wide);
Image decode_pnm(Bytes bytes, WideSamples& wide);
Image decode_psd(Bytes bytes, WideSamples& wide);
Image decode_tga(Bytes bytes);
Image decode_tiff(Bytes bytes, WideSamples& wide);
Image decode_webp(Bytes bytes);

// For bytes of the format: whether its samples go through WideSamples. Look at the header only, and
// throw Error if it is damaged.
bool is_wide_png(Bytes bytes);
bool is_wide_pnm(Bytes bytes);
bool is_wide_psd(Bytes bytes);
bool is_wide_tiff(Bytes bytes);

std::unique_ptr<Decoder> open_jpeg(Bytes bytes);

std::vector<uint8_t> encode_png(const Image& image);

// Baseline, chroma halved in both directions; quality 1 to 100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);

// Throws Error unless 1 <= side <= 65500 and width * height <= 2^28. Then waits until an image of
// this size fits into the DecodeMemory of this thread. To be called before memory is taken for the
// pixels. The default per pixel is an image in RGB and as much again for the decoder's own work.
void require_decodable_size(int64_t width, int64_t height, int64_t bytes_per_pixel = 6);

}  // namespace pixpro
