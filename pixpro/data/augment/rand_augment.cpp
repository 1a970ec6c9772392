#include "pixpro/data/augment/rand_augment.h"

#include <algorithm>
#include <array>

namespace pixpro {
namespace {

constexpr int kOperations = 2;
constexpr double kProbability = 0.5;
constexpr double kMagnitude = 10, kDeviation = 0.5, kMaxMagnitude = 10;

constexpr std::array kOps{Op::autocontrast, Op::equalize,    Op::invert,       Op::rotate,
                          Op::posterize,    Op::solarize,    Op::solarize_add, Op::saturation,
                          Op::contrast,     Op::brightness,  Op::sharpness,    Op::shear_x,
                          Op::shear_y,      Op::translate_x, Op::translate_y};

// The op's parameter at `level`, 0 to 1.
double amount_at(Op op, double level, int size) {
  switch (op) {
    case Op::rotate:
      return 30 * level;
    case Op::posterize:
      return static_cast<int>(4 * level);
    case Op::solarize:
      return static_cast<int>(256 * level);
    case Op::solarize_add:
      return static_cast<int>(110 * level);
    case Op::saturation:
    case Op::contrast:
    case Op::brightness:
    case Op::sharpness:
      return 1.8 * level + 0.1;
    case Op::shear_x:
    case Op::shear_y:
      return 0.3 * level;
    case Op::translate_x:
    case Op::translate_y:
      return 0.45 * level * size;
    default:
      return 0;
  }
}

}  // namespace

void sample_rand_augment(engine::Random& random, int size, std::vector<Step>& steps) {
  for (int i = 0; i < kOperations; ++i) {
    const Op op = kOps[static_cast<size_t>(random.below(std::ssize(kOps)))];
    if (!random.chance(kProbability)) continue;
    const double magnitude =
        std::clamp(kMagnitude + kDeviation * random.normal(), 0.0, kMaxMagnitude);
    Step step{op, amount_at(op, magnitude / kMaxMagnitude, size)};
    if (info_of(op).is_warp) {
      if (random.chance(0.5)) step.amount = -step.amount;
      step.bicubic = random.chance(0.5);
    }
    steps.push_back(step);
  }
}

}  // namespace pixpro
