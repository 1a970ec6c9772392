#include "pixpro/data/batches/raw_view.h"

#include <algorithm>

#include "engine/error.h"
#include "pixpro/data/augment/blur.h"
#include "pixpro/data/augment/resize_weights.h"

namespace pixpro {
namespace {

RawStep raw(const Step& step) {
  require_in_range(step);
  RawStep out{step.op, static_cast<float>(step.amount), static_cast<int32_t>(step.amount), {}};
  if (step.op == Op::hue) out.whole = hue_steps(step.amount);
  if (step.op == Op::gaussian_blur) out.box = extended_box(step.amount);
  return out;
}

void write_taps(const ResizeWeights& weights, Taps* taps) {
  for (size_t i = 0; i < weights.first.size(); ++i) {
    taps[i] = {weights.first[i], {}};
    std::copy_n(weights.at(static_cast<int>(i)), weights.taps, taps[i].weights);
  }
}

}  // namespace

bool has_kernel(Op op) {
  switch (op) {
    case Op::brightness:
    case Op::contrast:
    case Op::saturation:
    case Op::hue:
    case Op::grayscale:
    case Op::gaussian_blur:
    case Op::solarize:
      return true;
    default:
      return false;
  }
}

void write_raw_view(uint8_t* row, int size, Size crop, bool flip, std::span<const Step> steps) {
  engine::require(crop.width >= 1 && crop.height >= 1 && fits_raw_view(crop, size),
                  "raw view: a crop of ", crop.width, " x ", crop.height,
                  " pixels is too large for a view of ", size, " pixels per side");
  engine::require(steps.size() <= kMaxRawSteps, "raw view: ", steps.size(), " steps, at most ",
                  kMaxRawSteps, " expected");
  const ResizeWeights columns = resize_weights(crop.width, size, flip);
  const ResizeWeights rows = resize_weights(crop.height, size, false);
  RawView& view = *reinterpret_cast<RawView*>(row);
  view = {.width = crop.width,
          .height = crop.height,
          .column_taps = columns.taps,
          .row_taps = rows.taps,
          .step_count = static_cast<int32_t>(steps.size()),
          .steps = {}};
  for (size_t i = 0; i < steps.size(); ++i) {
    engine::require(has_kernel(steps[i].op), "raw view: there is no kernel for ",
                    info_of(steps[i].op).name);
    view.steps[i] = raw(steps[i]);
  }
  auto* taps = reinterpret_cast<Taps*>(row + sizeof(RawView));
  write_taps(columns, taps);
  write_taps(rows, taps + size);
}

}  // namespace pixpro
