// What can happen to the pixels of a view once it is cropped, step by step.
#pragma once

#include <span>

#include "pixpro/data/augment/planes.h"

namespace pixpro {

enum class Op : uint8_t {
  brightness,
  contrast,
  saturation,
  hue,
  grayscale,
  gaussian_blur,
  solarize,
  solarize_add,
  invert,
  posterize,
  autocontrast,
  equalize,
  sharpness,
  rotate,
  shear_x,
  shear_y,
  translate_x,
  translate_y
};

struct OpInfo {
  Op op;
  const char* name;
  const char* parameter;  // null: it has none
  double low, high;       // the values that the parameter may have
  bool is_whole = false;  // the parameter is an integer
  bool is_warp = false;   // moves pixels, and so interpolates
};

// All of them, in the order of Op.
std::span<const OpInfo> op_infos();
const OpInfo& info_of(Op op);

struct Step {
  Op op;
  double amount = 0;     // the op's parameter
  bool bicubic = false;  // how a warp interpolates; otherwise bilinear
  bool operator==(const Step&) const = default;
};

// Throws Error where the amount is out of the op's range.
void require_in_range(const Step& step);

// In place. Throws Error where the amount is out of the op's range.
void apply(Planes& image, const Step& step);

}  // namespace pixpro
