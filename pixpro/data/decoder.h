// Decoding no more of a picture than is needed.
#pragma once

#include <memory>
#include <span>

#include "pixpro/data/image.h"

namespace pixpro {

// A picture in the bytes of a file, which must outlive it. Its size is known before its pixels.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Size size() const = 0;

  // The pixels of the region, the same as in the whole picture. To be called once. Throws Error
  // where the region leaves the picture or the bytes are damaged; damage outside the region may
  // go unnoticed.
  virtual Image decode(const Box& region) = 0;
};

// The content says which format it is. A JPEG is decoded as far as a region needs it, any other
// format wholly. Throws Error as decode_image does.
std::unique_ptr<Decoder> open_image(std::span<const uint8_t> bytes);

}  // namespace pixpro
