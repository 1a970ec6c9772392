// Images of which a pixel is the number of a colour.
#pragma once

#include <algorithm>
#include <vector>

#include "pixpro/data/image.h"

namespace pixpro {

// indices: [size.height, size.width]; palette: [colours, 3], red, green, blue. A colour that the
// palette lacks is black.
inline Image look_up(Bytes indices, Bytes palette, Size size) {
  Image image(size.width, size.height);
  uint8_t* out = image.rgb.data();
  for (const uint8_t index : indices) {
    const size_t at = size_t{3} * index;
    if (at + 3 <= palette.size()) std::copy_n(palette.data() + at, 3, out);
    out += 3;
  }
  return image;
}

}  // namespace pixpro
