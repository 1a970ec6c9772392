#include "pixpro/data/augment/steps.h"

#include <array>

#include "engine/context.h"
#include "engine/error.h"
#include "engine/profile.h"
#include "pixpro/data/augment/blur.h"
#include "pixpro/data/augment/color.h"
#include "pixpro/data/augment/tone.h"
#include "pixpro/data/augment/warp.h"

namespace pixpro {
namespace {

constexpr double kLargestFactor = 1000;

constexpr std::array kInfos{
    OpInfo{Op::brightness, "brightness", "factor", 0, kLargestFactor},
    OpInfo{Op::contrast, "contrast", "factor", 0, kLargestFactor},
    OpInfo{Op::saturation, "saturation", "factor", 0, kLargestFactor},
    OpInfo{Op::hue, "hue", "shift", -0.5, 0.5},
    OpInfo{Op::grayscale, "grayscale", nullptr, 0, 0},
    OpInfo{Op::gaussian_blur, "gaussian_blur", "sigma", 1e-3, 1000},
    OpInfo{Op::solarize, "solarize", "threshold", 0, 256, true},
    OpInfo{Op::solarize_add, "solarize_add", "add", 0, 255, true},
    OpInfo{Op::invert, "invert", nullptr, 0, 0},
    OpInfo{Op::posterize, "posterize", "bits", 0, 8, true},
    OpInfo{Op::autocontrast, "autocontrast", nullptr, 0, 0},
    OpInfo{Op::equalize, "equalize", nullptr, 0, 0},
    OpInfo{Op::sharpness, "sharpness", "factor", 0, kLargestFactor},
    OpInfo{Op::rotate, "rotate", "degrees", -45, 45, false, true},
    OpInfo{Op::shear_x, "shear_x", "factor", -10, 10, false, true},
    OpInfo{Op::shear_y, "shear_y", "factor", -10, 10, false, true},
    OpInfo{Op::translate_x, "translate_x", "pixels", -1e6, 1e6, false, true},
    OpInfo{Op::translate_y, "translate_y", "pixels", -1e6, 1e6, false, true},
};

AffineMap map_of(const Step& step, const ColorPlanes& image) {
  switch (step.op) {
    case Op::rotate:
      return rotation_map(step.amount, image.width, image.height);
    case Op::shear_x:
      return shear_map(step.amount, 0);
    case Op::shear_y:
      return shear_map(0, step.amount);
    case Op::translate_x:
      return shift_map(step.amount, 0);
    default:
      return shift_map(0, step.amount);
  }
}

}  // namespace

std::span<const OpInfo> op_infos() { return kInfos; }

const OpInfo& info_of(Op op) { return kInfos[static_cast<size_t>(op)]; }

void require_in_range(const Step& step) {
  const OpInfo& info = info_of(step.op);
  engine::require(
      info.parameter == nullptr || (step.amount >= info.low && step.amount <= info.high), info.name,
      ": ", info.parameter, " must be ", info.low, " to ", info.high, ", found ", step.amount);
}

void apply(ColorPlanes& image, const Step& step) {
  require_in_range(step);
  const engine::Timer timer(engine::cpu_context(), info_of(step.op).name,
                            2.0 * static_cast<double>(image.bytes.size()));
  const int whole = static_cast<int>(step.amount);
  switch (step.op) {
    case Op::brightness:
      return adjust_brightness(image, step.amount);
    case Op::contrast:
      return adjust_contrast(image, step.amount);
    case Op::saturation:
      return adjust_saturation(image, step.amount);
    case Op::hue:
      return adjust_hue(image, step.amount);
    case Op::grayscale:
      return to_grayscale(image);
    case Op::gaussian_blur:
      return gaussian_blur(image, step.amount);
    case Op::solarize:
      return solarize(image, whole);
    case Op::solarize_add:
      return solarize_add(image, whole);
    case Op::invert:
      return invert(image);
    case Op::posterize:
      return posterize(image, whole);
    case Op::autocontrast:
      return autocontrast(image);
    case Op::equalize:
      return equalize(image);
    case Op::sharpness:
      return adjust_sharpness(image, step.amount);
    default:
      return warp(image, map_of(step, image),
                  step.bicubic ? Interpolation::bicubic : Interpolation::bilinear);
  }
}

}  // namespace pixpro
