// JPEG through libjpeg-turbo's own interface, which can skip rows and columns outside a region.
#include <algorithm>
#include <cstring>

#include "engine/context.h"
#include "engine/profile.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/jpeg_errors.h"

namespace pixpro {
namespace {

// Rows handed out at a time: few enough to stay in the cache.
constexpr int kBlockRows = 16;

// A tiny progressive file with more scans could keep a worker busy for minutes.
constexpr int kMaxScans = 500;

// Whether the end marker is there, found by walking from marker to marker. A file that was cut
// short would still decode, but with a gray lower part or without its details.
bool is_complete(Bytes bytes) {
  size_t at = 2;
  while (at + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - 1 - at);
    if (found == nullptr) return false;
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
    const uint8_t marker = bytes[at + 1];
    if (marker == 0xD9) return true;
    // A pixel byte 0xFF, a restart marker or padding: there is no segment to jump over.
    const bool is_bare = marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8) || marker == 0xFF;
    if (is_bare || at + 3 >= bytes.size()) {
      ++at;
    } else {
      at += 2u + (size_t{bytes[at + 2]} << 8 | bytes[at + 3]);
    }
  }
  return false;
}

// Photo editors store CMYK inverted, so that 255 means no ink; then red = cyan * black / 255. Works
// in place too.
void cmyk_to_rgb(const uint8_t* cmyk, int pixels, uint8_t* rgb) {
  for (int p = 0; p < pixels; ++p, cmyk += 4) {
    const uint8_t inks[3] = {cmyk[0], cmyk[1], cmyk[2]};
    const uint32_t black = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const uint32_t ink = 255u - inks[c];
      const uint32_t product = ink * black + 128;
      const uint32_t darker = ((product >> 8) + product) >> 8;  // ink * black / 255, rounded
      *rgb++ = static_cast<uint8_t>(black - darker);
    }
  }
}

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  static_cast<JpegErrors*>(info->client_data)->give_up("more than %d scans", kMaxScans);
}

struct Decompressor {
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  jpeg_decompress_struct info{};
};

class JpegDecoder : public Decoder {
 public:
  explicit JpegDecoder(Bytes bytes) {
    errors_.attach(info_);
    progress_.progress_monitor = limit_scans;
    errors_.guard([&] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, bytes.data(), bytes.size());
      jpeg_read_header(&info_, TRUE);
    });
    // Only a progressive file is held as a whole, as coefficients.
    require_decodable_size(info_.image_width, info_.image_height,
                           jpeg_has_multiple_scans(&info_) ? 9 : 3);
    engine::require(is_complete(bytes), "JPEG: the file is cut short");
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  Size size() const override {
    return {static_cast<int>(info_.image_width), static_cast<int>(info_.image_height)};
  }

  void decode(const Box& region, const Sink& sink) override {
    require_inside(region, size());
    const bool cmyk = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    int skipped = 0;
    {
      const engine::Timer timer(engine::cpu_context(), "decode", 0);
      errors_.guard([&] { skipped = start(region); });
    }
    const size_t stride = size_t{cmyk ? 4u : 3u} * info_.output_width;
    std::vector<uint8_t> lines(stride * kBlockRows);
    const int end = region.top + region.height;
    for (int top = region.top; top < end; top += kBlockRows) {
      const int rows = std::min(kBlockRows, end - top);
      read_rows(lines.data(), stride, rows);
      if (cmyk) {
        for (int i = 0; i < rows; ++i) {
          uint8_t* line = lines.data() + stride * static_cast<size_t>(i);
          cmyk_to_rgb(line, static_cast<int>(info_.output_width), line);
        }
      }
      sink({lines.data() + 3 * skipped, static_cast<int64_t>(stride), top, rows});
    }
  }

 private:
  void read_rows(uint8_t* lines, size_t stride, int rows) {
    const engine::Timer timer(engine::cpu_context(), "decode",
                              static_cast<double>(stride) * static_cast<double>(rows));
    errors_.guard([&] {
      for (int i = 0; i < rows; ++i, lines += stride) jpeg_read_scanlines(&info_, &lines, 1);
    });
  }

  // Starts decoding at the region's first row and returns how many pixels of a decoded row precede
  // the region. At the edges of what is decoded, chroma is upsampled from one side only; a margin
  // keeps these pixels out of the region.
  int start(const Box& region) {
    constexpr int kMargin = 32;  // pixels that a block of the coarsest chroma covers
    jpeg_start_decompress(&info_);
    // A progressive file may end before its details. Then libjpeg smooths across blocks, and only
    // whole rows have the pixels of the whole image.
    if (info_.progressive_mode) {
      if (region.top > 0) jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(region.top));
      return region.left;
    }
    const int width = size().width;
    const int end = std::min(region.left + region.width + kMargin, width);
    auto left = static_cast<JDIMENSION>(std::max(region.left - kMargin, 0));
    JDIMENSION columns = static_cast<JDIMENSION>(end) - left;
    if (columns < info_.image_width) jpeg_crop_scanline(&info_, &left, &columns);
    if (region.top > 0) jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(region.top));
    return region.left - static_cast<int>(left);
  }

  JpegErrors errors_;
  jpeg_progress_mgr progress_{};
  Decompressor decompressor_;  // after the members it points to, to be destroyed before them
  jpeg_decompress_struct& info_ = decompressor_.info;
};

}  // namespace

bool is_jpeg(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

std::unique_ptr<Decoder> open_jpeg(Bytes bytes) { return std::make_unique<JpegDecoder>(bytes); }

Image decode_jpeg(Bytes bytes) {
  JpegDecoder decoder(bytes);
  const Size size = decoder.size();
  return decoder.Decoder::decode({0, 0, size.width, size.height});
}

}  // namespace pixpro
