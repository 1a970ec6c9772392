// Learning rate and momentum of the momentum encoder, as pure functions of the step number.
#pragma once

#include <cstdint>
#include <vector>

namespace layers {

// A linear warm-up from base / warmup_multiplier to base, followed by a decay.
struct Schedule {
  enum class Decay { cosine, step };

  double base = 1.0;
  int64_t total_steps = 1;
  int64_t warmup_steps = 0;
  double warmup_multiplier = 100.0;
  Decay decay = Decay::cosine;
  double eta_min = 1e-6;                 // cosine: the last rate
  std::vector<int64_t> milestones = {};  // step: from each of these steps on, multiply by `rate`
  double rate = 0.1;
};

// The learning rate of optimiser step number `step` (0, 1, ...):
//   step <= warmup_steps: base / m ((m - 1) step / warmup_steps + 1), m = warmup_multiplier
//   cosine: eta_min + (base - eta_min) (1 + cos(pi (step - warmup) / (total - warmup))) / 2
//   step:   base * rate^(number of milestones <= step)
double learning_rate(const Schedule& schedule, int64_t step);

// Momentum of the momentum encoder at step k of K: 1 - (1 - base) (cos(pi k / K) + 1) / 2 (Grill et
// al., "Bootstrap your own latent", 2020).
double encoder_momentum(double base, int64_t step, int64_t total_steps);

}  // namespace layers
