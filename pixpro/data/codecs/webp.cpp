#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

// The first frame; a still image has only this one. It points into the file's bytes.
struct Frame {
  explicit Frame(const WebPDemuxer* demuxer) {
    found = WebPDemuxGetFrame(demuxer, 1, &iterator) != 0 && iterator.complete != 0;
  }
  ~Frame() { WebPDemuxReleaseIterator(&iterator); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  WebPIterator iterator{};
  bool found = false;
};

}  // namespace

bool is_webp(Bytes bytes) {
  return bytes.size() >= 16 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBPVP8", 7) == 0;
}

Image decode_webp(Bytes bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemux(&data));
  engine::require(demuxer != nullptr, "WebP: the file is damaged or cut short");
  const int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  require_decodable_size(width, height);
  const Frame frame(demuxer.get());
  engine::require(frame.found, "WebP: no complete frame");
  const WebPIterator& at = frame.iterator;
  engine::require(at.x_offset >= 0 && at.y_offset >= 0 && at.width >= 1 && at.height >= 1 &&
                      at.x_offset + at.width <= width && at.y_offset + at.height <= height,
                  "WebP: the first frame is not inside the image");
  // What the first frame of an animation leaves free is black. Alpha is dropped, not blended.
  Image image(static_cast<int>(width), static_cast<int>(height));
  uint8_t* out = image.row(at.y_offset) + 3 * at.x_offset;
  const size_t room = static_cast<size_t>(image.rgb.data() + image.rgb.size() - out);
  const uint8_t* decoded =
      WebPDecodeRGBInto(at.fragment.bytes, at.fragment.size, out, room, 3 * image.width);
  engine::require(decoded != nullptr, "WebP: the image is damaged");
  return image;
}

}  // namespace pixpro
