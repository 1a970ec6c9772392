#include "tests/pixpro/data/wide_files.h"

#include <algorithm>
#include <array>
#include <string>

namespace pixpro {

void put_big_endian(FileBytes& file, uint32_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    file.push_back(static_cast<uint8_t>(number >> shift));
  }
}

void put_text(FileBytes& file, std::string_view text) {
  for (const char c : text) file.push_back(static_cast<uint8_t>(c));
}

namespace {

void put_bytes(FileBytes& file, const FileBytes& bytes) {
  for (const uint8_t byte : bytes) file.push_back(byte);
}

void put_png_chunk(FileBytes& file, std::string_view name, const FileBytes& content) {
  put_big_endian(file, static_cast<uint32_t>(content.size()), 4);
  const size_t begin = file.size();
  put_text(file, name);
  put_bytes(file, content);
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = begin; i < file.size(); ++i) {
    crc ^= file[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  put_big_endian(file, ~crc, 4);
}

}  // namespace

FileBytes wide_pgm(const std::vector<uint16_t>& samples) {
  FileBytes file;
  put_text(file, "P5 " + std::to_string(samples.size()) + " 1 65535\n");
  for (const uint16_t sample : samples) put_big_endian(file, sample, 2);
  return file;
}

FileBytes wide_png(uint8_t color_type, const std::vector<uint16_t>& samples,
                   const FileBytes& significant_bits) {
  constexpr std::array<size_t, 7> kChannels{1, 0, 3, 0, 2, 0, 4};
  FileBytes header, row{0}, packed{0x78, 0x01, 1};  // one deflate block, stored
  put_big_endian(header, static_cast<uint32_t>(samples.size() / kChannels.at(color_type)), 4);
  put_big_endian(header, 1, 4);
  for (const uint8_t field : {uint8_t{16}, color_type, uint8_t{0}, uint8_t{0}, uint8_t{0}}) {
    header.push_back(field);
  }
  for (const uint16_t sample : samples) put_big_endian(row, sample, 2);
  const auto length = static_cast<uint16_t>(row.size());
  for (const uint32_t number : {uint32_t{length}, ~uint32_t{length}}) {
    packed.push_back(static_cast<uint8_t>(number));
    packed.push_back(static_cast<uint8_t>(number >> 8));
  }
  put_bytes(packed, row);
  uint32_t a = 1, b = 0;  // Adler-32
  for (const uint8_t byte : row) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  put_big_endian(packed, b << 16 | a, 4);
  FileBytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  put_png_chunk(file, "IHDR", header);
  if (!significant_bits.empty()) put_png_chunk(file, "sBIT", significant_bits);
  put_png_chunk(file, "IDAT", packed);
  put_png_chunk(file, "IEND", {});
  return file;
}

FileBytes wide_psd(const std::vector<uint16_t>& samples) {
  FileBytes file;
  put_text(file, "8BPS");
  put_big_endian(file, 1, 2);
  put_big_endian(file, 0, 4);
  put_big_endian(file, 0, 2);
  put_big_endian(file, 1, 2);  // channels
  put_big_endian(file, 1, 4);
  put_big_endian(file, static_cast<uint32_t>(samples.size()), 4);
  put_big_endian(file, 16, 2);
  put_big_endian(file, 1, 2);  // gray
  put_big_endian(file, 0, 4);  // palette
  put_big_endian(file, 0, 4);  // resources
  put_big_endian(file, 0, 4);  // layers
  put_big_endian(file, 0, 2);  // not packed
  for (const uint16_t sample : samples) put_big_endian(file, sample, 2);
  return file;
}

FileBytes tiff_file(const TiffFileOptions& options, const FileBytes& data) {
  constexpr uint32_t kShort = 3, kLong = 4, kPixelsAt = 8;
  const uint32_t planes = options.planes_apart ? options.bands : 1;
  const uint32_t plane_bytes = static_cast<uint32_t>(data.size()) / planes;
  FileBytes file{'M', 'M', 0, 42};
  const uint32_t lists_at = kPixelsAt + static_cast<uint32_t>(data.size());
  put_big_endian(file, lists_at + (planes + planes) * 4 + 2 * options.bands, 4);
  put_bytes(file, data);
  for (uint32_t plane = 0; plane < planes; ++plane) {
    put_big_endian(file, kPixelsAt + plane * plane_bytes, 4);
  }
  for (uint32_t plane = 0; plane < planes; ++plane) put_big_endian(file, plane_bytes, 4);
  for (uint32_t band = 0; band < options.bands; ++band) put_big_endian(file, options.bits, 2);

  struct Entry {
    uint32_t tag, type, count, value;
  };
  // A list that fits into four bytes stands in place of its offset.
  const uint32_t bits_list = lists_at + 2 * planes * 4;
  std::vector<Entry> entries = {
      {256, kLong, 1, options.width},
      {257, kLong, 1, 1},
      {258, kShort, options.bands,
       options.bands == 1   ? options.bits
       : options.bands == 2 ? options.bits << 16 | options.bits
                            : bits_list},
      {259, kShort, 1, 1},
      {262, kShort, 1, options.photometric},
      {273, kLong, planes, planes == 1 ? kPixelsAt : lists_at},
      {277, kShort, 1, options.bands},
      {278, kLong, 1, 1},
      {279, kLong, planes, planes == 1 ? plane_bytes : lists_at + 4 * planes},
      {284, kShort, 1, options.planes_apart ? 2u : 1u},
      {339, kShort, 1, options.sample_format}};
  for (const auto& [tag, value] : options.tags) entries.push_back({tag, kShort, 1, value});
  std::ranges::sort(entries, {}, &Entry::tag);
  put_big_endian(file, static_cast<uint32_t>(entries.size()), 2);
  for (const auto& [tag, type, count, value] : entries) {
    put_big_endian(file, tag, 2);
    put_big_endian(file, type, 2);
    put_big_endian(file, count, 4);
    const bool alone = type == kShort && count == 1;  // stands at the front of its four bytes
    put_big_endian(file, alone ? value << 16 : value, 4);
  }
  put_big_endian(file, 0, 4);
  return file;
}

}  // namespace pixpro
