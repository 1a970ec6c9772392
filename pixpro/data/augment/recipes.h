// The published augmentation recipes (--aug): how each of the two views is sampled.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace pixpro {

// A strength s stands for a factor uniform in [max(0, 1 - s), 1 + s]; for the hue, for a shift
// uniform in [-s, s].
struct ColorJitter {
  double probability = 0;  // of all four together, in random order
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
};

// A random resized crop, a flip with probability 0.5, then jitter, grayscale, blur and solarize in
// this order; with RandAugment: jitter, blur, RandAugment, grayscale.
struct ViewRecipe {
  double min_area = 0.08;  // the smallest crop, as a share of the image's area; the largest is 1
  ColorJitter jitter = {};
  double grayscale_probability = 0;
  double blur_probability = 0;  // sigma uniform in [0.1, 2]
  double solarize_probability = 0;
  bool rand_augment = false;  // rand-n2-m10-mstd0.5, see rand_augment.h
  bool evaluation = false;  // nothing random: resize the shorter side to size + 32, crop the middle
};

using PairRecipe = std::array<ViewRecipe, 2>;

// BYOL, InstDisc, MoCov2, SimCLR, RandAug, NULL (crop and flip only), val (for evaluation).
std::span<const std::string> recipe_names();

// Throws Error if there is no such recipe.
PairRecipe recipe_named(std::string_view name, double min_area);

}  // namespace pixpro
