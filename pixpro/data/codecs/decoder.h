// Decoding no more of a picture than is needed.
#pragma once

#include <functional>
#include <memory>

#include "pixpro/data/image.h"

namespace pixpro {

// Some rows of a region, from left to right as red, green and blue.
struct RowBlock {
  const uint8_t* pixels = nullptr;  // the region's first pixel in the first row
  int64_t stride = 0;               // bytes from one row to the next
  int top = 0, rows = 0;            // rows of the picture
};

// A picture in the bytes of a file, which must outlive it. Its size is known before its pixels.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Size size() const = 0;

  // Hands out the rows of the region from top to bottom, with the pixels that they have in the
  // whole picture. To be called once. Throws Error where the region leaves the picture or the bytes
  // are damaged; damage outside the region may go unnoticed.
  using Sink = std::function<void(const RowBlock&)>;
  virtual void decode(const Box& region, const Sink& sink) = 0;

  // The same as one picture.
  Image decode(const Box& region);
};

// The content says which format it is. A JPEG is decoded as far as a region needs it, any other
// format wholly. Throws Error as decode_image does.
std::unique_ptr<Decoder> open_image(Bytes bytes);

}  // namespace pixpro
