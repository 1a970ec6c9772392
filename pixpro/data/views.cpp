#include "pixpro/data/views.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/profile.h"
#include "pixpro/data/augment.h"
#include "pixpro/data/decoder.h"
#include "pixpro/data/normalize.h"

namespace pixpro {
namespace {

Box region_of(const ViewParameters& view, Size picture) {
  return view.shorter_side > 0 ? Box{0, 0, picture.width, picture.height} : view.crop;
}

// The smallest box that holds both.
Box around(const Box& a, const Box& b) {
  Box box{std::min(a.left, b.left), std::min(a.top, b.top), 0, 0};
  box.width = std::max(a.left + a.width, b.left + b.width) - box.left;
  box.height = std::max(a.top + a.height, b.top + b.height) - box.top;
  return box;
}

}  // namespace

void make_views(std::span<const uint8_t> bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots& slots) {
  Image part;
  Box region;
  Size picture;
  std::array<ViewParameters, 2> views;
  {
    const engine::Timer timer(engine::cpu_context(), "decode", static_cast<double>(bytes.size()));
    const std::unique_ptr<Decoder> decoder = open_image(bytes);
    picture = decoder->size();
    for (size_t v = 0; v < 2; ++v) views[v] = draw_view(streams[v], recipe[v], picture, size);
    region = around(region_of(views[0], picture), region_of(views[1], picture));
    part = decoder->decode(region);
  }
  for (size_t v = 0; v < 2; ++v) {
    const Planes pixels = apply_view(part, region, views[v], size);
    const engine::Timer timer(engine::cpu_context(), "normalize",
                              static_cast<double>(5 * pixels.bytes.size()));
    normalize(pixels, slots.views[v]);
    const std::array<float, 4> corners = view_coordinates(views[v], picture);
    std::copy(corners.begin(), corners.end(), slots.coords[v]);
  }
}

}  // namespace pixpro
