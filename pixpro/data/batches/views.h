// From the bytes of a picture's file to its two views in a batch: all that a loader's worker does.
#pragma once

#include <array>
#include <cstdint>

#include "engine/random.h"
#include "pixpro/data/augment/recipes.h"
#include "pixpro/data/image.h"

namespace pixpro {

// The place of one picture in a batch, for view 1 and view 2.
template <class View>
struct Slots {
  std::array<View*, 2> views;
  std::array<float*, 2> boxes;  // [4]: x0, y0, x1, y1, see view_coordinates
};
using PairSlots = Slots<float>;       // [3, size, size], normalised
using RawPairSlots = Slots<uint8_t>;  // [raw_view_bytes(size)], see raw_view.h

// Decodes the part of the picture that the views drawn from the two streams are made of, makes them
// and writes them. Throws Error where the picture cannot be decoded or has a side of 1 pixel; what
// the slots hold then has no meaning.
void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots& slots);

// The same views for a CUDA device to finish. Here is done what it cannot do: crops that have no
// room in a raw view are resized, and what comes before the last step without a kernel is done.
void make_raw_views(Bytes bytes, const PairRecipe& recipe, int size,
                    std::array<engine::Random, 2> streams, const RawPairSlots& slots);

}  // namespace pixpro
