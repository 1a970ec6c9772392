// RandAugment (Cubuk et al. 2020) in the form that the published recipe calls rand-n2-m10-mstd0.5:
// two of 15 operations are drawn with replacement, and each is applied with probability 0.5. Its
// magnitude is normally distributed with mean 10 and deviation 0.5, clipped to 0..10.
#pragma once

#include <vector>

#include "engine/random.h"
#include "pixpro/data/augment/steps.h"

namespace pixpro {

// Appends 0, 1 or 2 steps for a view of size x size pixels.
void sample_rand_augment(engine::Random& random, int size, std::vector<Step>& steps);

}  // namespace pixpro
