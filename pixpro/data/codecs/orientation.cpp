#include "pixpro/data/codecs/orientation.h"

#include <algorithm>

namespace pixpro {

Image upright(Image image, uint16_t orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const uint16_t o = orientation;
  const bool swapped = o >= 5;
  const bool from_right = o == 2 || o == 3 || o >= 7;
  const bool from_below = o == 3 || o == 4 || o == 6 || o == 7;
  Image turned(swapped ? image.height : image.width, swapped ? image.width : image.height);
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      const int u = swapped ? y : x, v = swapped ? x : y;
      const uint8_t* from = image.row(from_below ? image.height - 1 - v : v) +
                            3 * (from_right ? image.width - 1 - u : u);
      std::copy_n(from, 3, turned.row(y) + 3 * x);
    }
  }
  return turned;
}

}  // namespace pixpro
