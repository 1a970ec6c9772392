// libtiff unpacks strips and tiles. Their samples are turned into RGB here, because libtiff's own
// conversion multiplies by alpha and rounds 16 bits differently from Pillow. The first image of the
// file is read.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/orientation.h"
#include "pixpro/data/codecs/tiff/layout.h"

namespace pixpro {
namespace {

// The file as libtiff reads it, and the first error that libtiff reported.
struct TiffFile {
  Bytes bytes;
  toff_t at = 0;
  std::array<char, 160> message{};
};

tmsize_t read_bytes(thandle_t handle, void* out, tmsize_t wanted) {
  auto* file = static_cast<TiffFile*>(handle);
  if (wanted < 0 || file->at > file->bytes.size()) return 0;
  const size_t count =
      std::min(static_cast<size_t>(wanted), file->bytes.size() - static_cast<size_t>(file->at));
  std::copy_n(file->bytes.data() + file->at, count, static_cast<uint8_t*>(out));
  file->at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_bytes(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* file = static_cast<TiffFile*>(handle);
  const toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file->at : file->bytes.size();
  return file->at = base + offset;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of_file(thandle_t handle) { return static_cast<TiffFile*>(handle)->bytes.size(); }

int keep_message(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& message = static_cast<TiffFile*>(user)->message;
  if (message[0] == 0) std::vsnprintf(message.data(), message.size(), format, arguments);
  return 1;
}

int ignore_message(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, CloseTiff>;

Handle open_tiff(TiffFile& file) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  engine::require(options != nullptr, "TIFF: not enough memory for the decoder");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 30);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &file);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_message, nullptr);
  Handle tiff(TIFFClientOpenExt("", "rm", &file, read_bytes, write_bytes, seek, close_nothing,
                                size_of_file, nullptr, nullptr, options.get()));
  engine::require(tiff != nullptr, "TIFF: ", file.message.data());
  return tiff;
}

// Sample i of a row.
uint32_t sample_at(const uint8_t* row, size_t i, uint16_t bits) {
  if (bits == 8) return row[i];
  if (bits == 16) {
    uint16_t value = 0;  // in the machine's byte order
    std::memcpy(&value, row + 2 * i, 2);
    return value;
  }
  // Others are packed without gaps, the highest bit first.
  const size_t begin = i * bits, end = begin + bits;
  uint32_t bytes = 0;
  for (size_t at = begin / 8; at <= (end - 1) / 8; ++at) bytes = bytes << 8 | row[at];
  return bytes >> (7 - (end - 1) % 8) & ((1u << bits) - 1);
}

// Unpacks strips or tiles one by one.
class Blocks {
 public:
  Blocks(TIFF* tiff, const TiffFile& file, const TiffLayout& layout, WideSamples& wide)
      : tiff_(tiff), file_(file), layout_(layout), wide_(wide) {
    row_bytes_ = layout.tiled ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff);
    const auto bytes_for = [&](size_t pixels) {
      return (pixels * samples_together() * layout.bits + 7) / 8;
    };
    // A tile may extend beyond the image, but not by far.
    const size_t most = (size_t{1} << 24) + 4 * bytes_for(layout.width) * layout.height;
    engine::require(row_bytes_ >= static_cast<tmsize_t>(bytes_for(layout.block_width)) &&
                        layout.block_height <= most / static_cast<size_t>(row_bytes_),
                    "TIFF: tiles of ", layout.block_width, " x ", layout.block_height,
                    " pixels in an image of ", layout.width, " x ", layout.height);
    block_.resize(static_cast<size_t>(row_bytes_) * layout.block_height);
  }

  void unpack(uint32_t left, uint32_t top, uint16_t plane, uint8_t* kept) {
    const uint32_t rows = std::min(layout_.block_height, layout_.height - top);
    const tmsize_t wanted = row_bytes_ * (layout_.tiled ? layout_.block_height : rows);
    const tmsize_t found =
        layout_.tiled ? TIFFReadEncodedTile(tiff_, TIFFComputeTile(tiff_, left, top, 0, plane),
                                            block_.data(), wanted)
                      : TIFFReadEncodedStrip(tiff_, TIFFComputeStrip(tiff_, top, plane),
                                             block_.data(), wanted);
    engine::require(found == wanted, "TIFF: ",
                    file_.message[0] != 0 ? file_.message.data() : "a strip or tile is cut short");
    const size_t columns = std::min(layout_.block_width, layout_.width - left);
    const uint32_t bands = layout_.planes_apart ? 1 : layout_.bands;
    for (uint32_t y = 0; y < rows; ++y) {
      const uint8_t* row = block_.data() + row_bytes_ * y;
      uint8_t* out = kept + (size_t{top + y} * layout_.width + left) * layout_.bands + plane;
      for (size_t x = 0; x < columns; ++x, out += layout_.bands) {
        for (size_t b = 0; b < bands; ++b) {
          out[b] = byte_of(sample_at(row, x * samples_together() + b, layout_.bits), plane + b);
        }
      }
    }
  }

 private:
  size_t samples_together() const { return layout_.planes_apart ? 1 : layout_.samples; }

  // Fewer bits than 8 are not scaled.
  uint8_t byte_of(uint32_t sample, size_t band) {
    if (layout_.bits < 16) return static_cast<uint8_t>(sample >> std::max(layout_.bits - 8, 0));
    if (band < layout_.color_bands) wide_.note(sample);
    return wide_.to_byte(sample);
  }

  TIFF* tiff_;
  const TiffFile& file_;
  const TiffLayout& layout_;
  WideSamples& wide_;
  tmsize_t row_bytes_ = 0;
  std::vector<uint8_t> block_;
};

// [height, width, bands]
std::vector<uint8_t> read_samples(TIFF* tiff, const TiffFile& file, const TiffLayout& layout,
                                  WideSamples& wide) {
  if (layout.bits == 16) wide.note(layout.largest_by_tags);
  Blocks blocks(tiff, file, layout, wide);
  std::vector<uint8_t> kept(size_t{layout.width} * layout.height * layout.bands);
  const uint32_t planes = layout.planes_apart ? layout.bands : 1;
  for (uint32_t plane = 0; plane < planes; ++plane) {
    for (uint32_t top = 0; top < layout.height; top += layout.block_height) {
      for (uint32_t left = 0; left < layout.width; left += layout.block_width) {
        blocks.unpack(left, top, static_cast<uint16_t>(plane), kept.data());
      }
    }
  }
  return kept;
}

}  // namespace

bool is_tiff(Bytes bytes) {
  const auto starts_with = [&](const char* signature) {
    return bytes.size() >= 8 && std::memcmp(bytes.data(), signature, 4) == 0;
  };
  // 42 for TIFF, 43 for BigTIFF, in either byte order.
  return starts_with("II*\0") || starts_with("MM\0*") || starts_with("II+\0") ||
         starts_with("MM\0+");
}

bool is_wide_tiff(Bytes bytes) {
  TiffFile file{.bytes = bytes};
  return read_tiff_layout(open_tiff(file).get()).bits == 16;
}

Image decode_tiff(Bytes bytes, WideSamples& wide) {
  TiffFile file{.bytes = bytes};
  const Handle tiff = open_tiff(file);
  const TiffLayout layout = read_tiff_layout(tiff.get());
  return upright(tiff_to_rgb(layout, read_samples(tiff.get(), file, layout, wide)),
                 layout.orientation);
}

}  // namespace pixpro
