// The steps that change the pixels of a view after it has been cropped.
#pragma once

#include <span>

#include "pixpro/data/augment/color_planes.h"

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
  const char* parameter;  // its name, null if there is none
  double low, high;       // range of the parameter
  bool is_whole = false;  // the parameter is an integer
  bool is_warp = false;   // the op moves pixels, and so interpolates
};

// All ops in the order of Op.
std::span<const OpInfo> op_infos();
const OpInfo& info_of(Op op);

struct Step {
  Op op;
  double amount = 0;     // the op's parameter
  bool bicubic = false;  // whether a warp interpolates bicubically or bilinearly
  bool operator==(const Step&) const = default;
};

// Throws Error if the amount is out of the op's range.
void require_in_range(const Step& step);

// Applies the step in place. Throws Error if the amount is out of the op's range.
void apply(ColorPlanes& image, const Step& step);

}  // namespace pixpro
