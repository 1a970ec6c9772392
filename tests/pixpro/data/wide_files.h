// Image files with samples of 16 bits, made in memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace pixpro {

using FileBytes = std::vector<uint8_t>;

void put_big_endian(FileBytes& file, uint32_t number, int bytes);
void put_text(FileBytes& file, std::string_view text);

// A PGM image of one row whose white is 65535.
FileBytes wide_pgm(const std::vector<uint16_t>& samples);

// A PNG image of one row. color_type: 0 gray, 2 RGB, 4 gray and alpha, 6 RGBA. significant_bits:
// the content of sBIT, which is left out if that is empty.
FileBytes wide_png(uint8_t color_type, const std::vector<uint16_t>& samples,
                   const FileBytes& significant_bits = {});

// A gray PSD image of one row.
FileBytes wide_psd(const std::vector<uint16_t>& samples);

// An uncompressed big-endian TIFF image of one row. `data` are its pixels, one plane after the
// other if planes are apart.
struct TiffFileOptions {
  uint32_t width = 1, bits = 16, bands = 1;
  uint32_t photometric = 1;    // 1: black is zero, 2: RGB, 3: palette, 5: CMYK
  uint32_t sample_format = 1;  // 1: unsigned, 2: signed, 3: floating point
  bool planes_apart = false;
  std::vector<std::pair<uint32_t, uint32_t>> tags = {};  // more tags: number, SHORT value
};

FileBytes tiff_file(const TiffFileOptions& options, const FileBytes& data);

}  // namespace pixpro
