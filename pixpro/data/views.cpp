#include "pixpro/data/views.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/context.h"
#include "engine/profile.h"
#include "pixpro/data/augment.h"
#include "pixpro/data/decoder.h"
#include "pixpro/data/normalize.h"
#include "pixpro/data/resize.h"

namespace pixpro {
namespace {

using PairParameters = std::array<ViewParameters, 2>;
using PairPlanes = std::array<Planes, 2>;

// The smallest box that holds both.
Box around(const Box& a, const Box& b) {
  Box box{std::min(a.left, b.left), std::min(a.top, b.top), 0, 0};
  box.width = std::max(a.left + a.width, b.left + b.width) - box.left;
  box.height = std::max(a.top + a.height, b.top + b.height) - box.top;
  return box;
}

// Cuts both views out of the rows as they are decoded; the picture itself is never kept.
PairPlanes crop_while_decoding(Decoder& decoder, const PairParameters& views, int size) {
  std::array<std::optional<RowResizer>, 2> resizers;
  for (size_t v = 0; v < 2; ++v) {
    const Box& crop = views[v].crop;
    resizers[v].emplace(Size{crop.width, crop.height}, Size{size, size}, views[v].flip);
  }
  const Box region = around(views[0].crop, views[1].crop);
  decoder.decode(region, [&](const RowBlock& block) {
    const engine::Timer timer(engine::cpu_context(), "resize",
                              static_cast<double>(block.rows) * static_cast<double>(block.stride));
    for (size_t v = 0; v < 2; ++v) {
      const Box& crop = views[v].crop;
      const int first = std::max(block.top, crop.top);
      const int end = std::min(block.top + block.rows, crop.top + crop.height);
      if (first >= end) continue;
      resizers[v]->add(
          block.pixels + (first - block.top) * block.stride + 3 * (crop.left - region.left),
          block.stride, end - first);
    }
  });
  return {resizers[0]->take(), resizers[1]->take()};
}

// Views of the whole picture, resized first.
PairPlanes crop_for_evaluation(Decoder& decoder, const PairParameters& views, int size) {
  const Image picture = decoder.decode({0, 0, decoder.size().width, decoder.size().height});
  return {apply_view(picture, views[0], size), apply_view(picture, views[1], size)};
}

std::unique_ptr<Decoder> open_timed(Bytes bytes) {
  const engine::Timer timer(engine::cpu_context(), "decode", static_cast<double>(bytes.size()));
  return open_image(bytes);
}

}  // namespace

void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots& slots) {
  const std::unique_ptr<Decoder> decoder = open_timed(bytes);
  PairParameters views;
  for (size_t v = 0; v < 2; ++v) {
    views[v] = draw_view(streams[v], recipe[v], decoder->size(), size);
  }
  const bool evaluation = views[0].shorter_side > 0 || views[1].shorter_side > 0;
  PairPlanes pixels = evaluation ? crop_for_evaluation(*decoder, views, size)
                                 : crop_while_decoding(*decoder, views, size);
  for (size_t v = 0; v < 2; ++v) {
    if (!evaluation) {
      for (const Step& step : views[v].steps) apply(pixels[v], step);
    }
    const engine::Timer timer(engine::cpu_context(), "normalize",
                              static_cast<double>(5 * pixels[v].bytes.size()));
    normalize(pixels[v], slots.views[v]);
    const std::array<float, 4> corners = view_coordinates(views[v], decoder->size());
    std::copy(corners.begin(), corners.end(), slots.coords[v]);
  }
}

}  // namespace pixpro
