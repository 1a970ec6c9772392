#include "pixpro/data/codecs/decoder.h"

#include <algorithm>
#include <utility>

#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

class DecodedImage : public Decoder {
 public:
  explicit DecodedImage(Image image) : image_(std::move(image)) {}

  Size size() const override { return {image_.width, image_.height}; }

  void decode(const Box& region, const Sink& sink) override {
    require_inside(region, size());
    sink({image_.row(region.top) + 3 * region.left, int64_t{3} * image_.width, region.top,
          region.height});
  }

 private:
  Image image_;
};

}  // namespace

Image Decoder::decode(const Box& region) {
  require_inside(region, size());
  Image out(region.width, region.height);
  decode(region, [&](const RowBlock& block) {
    for (int i = 0; i < block.rows; ++i) {
      std::copy_n(block.pixels + i * block.stride, 3 * region.width,
                  out.row(block.top - region.top + i));
    }
  });
  return out;
}

std::unique_ptr<Decoder> open_image(Bytes bytes, const DecodeOptions& options) {
  if (is_jpeg(bytes)) return open_jpeg(bytes);
  return std::make_unique<DecodedImage>(decode_image(bytes, options));
}

}  // namespace pixpro
