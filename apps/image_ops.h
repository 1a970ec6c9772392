// Operations on an image as JSON text: [{"op": "hue", "shift": 0.07}, {"op": "hflip"}, ...].
#pragma once

#include <string>

#include "pixpro/data/image.h"

namespace apps {

// Applies the operations of the list in their order: the steps of pixpro/data/augment/steps.h, and
//   resized_crop    left, top, width, height: a box of the image, resized to size x size
//   resize_shorter  size: of the shorter side
//   center_crop     size: of both sides
//   hflip           mirrors left to right
//   decode_jpeg     changes nothing: the image is already decoded
// Throws Error, naming the operation, if the text is not such a list, or if an operation or
// parameter is unknown, missing or out of range.
pixpro::Image apply_operations(pixpro::Image image, const std::string& json);

}  // namespace apps
