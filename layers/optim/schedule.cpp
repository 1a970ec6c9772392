#include "layers/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace layers {
namespace {

// From 1 at 0 to 0 at 1.
double half_cosine(double progress) { return (1.0 + std::cos(std::numbers::pi * progress)) / 2.0; }

double fraction(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1.0;
}

}  // namespace

double learning_rate(const Schedule& s, int64_t step) {
  if (s.warmup_steps > 0 && step <= s.warmup_steps) {
    const double m = s.warmup_multiplier;
    return s.base / m * ((m - 1.0) * fraction(step, s.warmup_steps) + 1.0);
  }
  if (s.decay == Schedule::Decay::step) {
    const auto passed = std::ranges::count_if(s.milestones, [&](int64_t m) { return m <= step; });
    return s.base * std::pow(s.rate, static_cast<double>(passed));
  }
  const double progress = fraction(step - s.warmup_steps, s.total_steps - s.warmup_steps);
  return s.eta_min + (s.base - s.eta_min) * half_cosine(progress);
}

double encoder_momentum(double base, int64_t step, int64_t total_steps) {
  return 1.0 - (1.0 - base) * half_cosine(fraction(step, total_steps));
}

}  // namespace layers
