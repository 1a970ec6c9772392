// From the bytes of an image file to its two views in a batch: all that a loader's worker does.
#pragma once

#include <array>
#include <cstdint>

#include "engine/random.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Where the two views of an image are written, and their boxes. A view is of
//   float    [3, size, size], normalised, or
//   uint8_t  [raw_view_bytes(size)], a raw view (see raw_view.h) for a CUDA device to finish.
template <class View>
struct PairSlots {
  std::array<View*, 2> views;
  std::array<float*, 2> boxes;  // [4]: x0, y0, x1, y1, see view_box
};

// The same for a batch: all first views, then all second ones.
template <class View>
struct PairRows {
  View* views = nullptr;
  float* boxes = nullptr;
  int64_t view_elements = 0, images = 0;

  PairSlots<View> slots(int64_t image) const {
    const int64_t first = image, second = images + image;
    return {{views + first * view_elements, views + second * view_elements},
            {boxes + 4 * first, boxes + 4 * second}};
  }
};

// Draws two views from the two streams, decodes the part of the image that they show, makes them
// and writes them. Throws Error if the image cannot be decoded or has a side of 1 pixel; the slots
// then hold nothing of meaning.
void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots<float>& slots,
                const DecodeOptions& decoding = {});

// The same for raw views. Work that the device cannot do is done here: crops that are too large for
// a raw view are resized, and all steps are applied up to the last one without a kernel.
void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots<uint8_t>& slots,
                const DecodeOptions& decoding = {});

}  // namespace pixpro
