#include "pixpro/data/decoder.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

class DecodedImage : public Decoder {
 public:
  explicit DecodedImage(Image image) : image_(std::move(image)) {}

  Size size() const override { return {image_.width, image_.height}; }

  Image decode(const Box& region) override {
    require_region(region, size());
    if (region == Box{0, 0, image_.width, image_.height}) return std::move(image_);
    Image out(region.width, region.height);
    for (int y = 0; y < region.height; ++y) {
      std::copy_n(image_.row(region.top + y) + 3 * region.left, 3 * region.width, out.row(y));
    }
    return out;
  }

 private:
  Image image_;
};

}  // namespace

std::unique_ptr<Decoder> open_image(std::span<const uint8_t> bytes) {
  if (is_jpeg(bytes)) return open_jpeg(bytes);
  return std::make_unique<DecodedImage>(decode_image(bytes));
}

void require_region(const Box& region, Size size) {
  engine::require(region.left >= 0 && region.top >= 0 && region.width >= 1 && region.height >= 1 &&
                      region.left <= size.width - region.width &&
                      region.top <= size.height - region.height,
                  "the region of ", region.width, " x ", region.height, " pixels at (", region.left,
                  ", ", region.top, ") leaves the picture of ", size.width, " x ", size.height);
}

}  // namespace pixpro
