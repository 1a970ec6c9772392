// Decodes no more of an image than is needed.
#pragma once

#include <functional>
#include <memory>

#include "pixpro/data/image.h"

namespace pixpro {

// Some rows of a region of an image, as interleaved red, green and blue.
struct RowBlock {
  const uint8_t* pixels = nullptr;  // the region's first pixel in the first row
  int64_t stride = 0;               // bytes from one row to the next
  int top = 0, rows = 0;            // rows of the image
};

// An image in the bytes of a file, which must outlive it. Its size is known before its pixels.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual Size size() const = 0;

  // Hands out the rows of the region from top to bottom, with the same pixels as in the whole
  // image. May be called once. Throws Error if the region is not inside the image or the bytes are
  // damaged; damage outside the region may go unnoticed.
  using Sink = std::function<void(const RowBlock&)>;
  virtual void decode(const Box& region, const Sink& sink) = 0;

  // The region as an image.
  Image decode(const Box& region);
};

// The content says which format it is. A JPEG is decoded as far as a region needs, any other format
// as a whole. Throws Error as decode_image does.
std::unique_ptr<Decoder> open_image(Bytes bytes, const DecodeOptions& options = {});

}  // namespace pixpro
