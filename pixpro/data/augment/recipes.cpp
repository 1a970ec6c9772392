#include "pixpro/data/augment/recipes.h"

#include <algorithm>
#include <vector>

#include "engine/error.h"

namespace pixpro {
namespace {

struct Named {
  std::string name;
  PairRecipe recipe;
};

PairRecipe both(const ViewRecipe& view) { return {view, view}; }

std::vector<Named> make_recipes() {
  // Grill et al. 2020 with PixPro's smaller jitter.
  const ColorJitter byol_jitter{0.8, 0.4, 0.4, 0.2, 0.1};
  const ColorJitter strong_jitter{0.8, 0.8, 0.8, 0.8, 0.2};
  const ViewRecipe byol{
      .jitter = byol_jitter, .grayscale_probability = 0.2, .blur_probability = 1.0};
  ViewRecipe byol_second = byol;
  byol_second.blur_probability = 0.1;
  byol_second.solarize_probability = 0.2;
  return {{"BYOL", {byol, byol_second}},
          {"InstDisc", both({.jitter = {1.0, 0.4, 0.4, 0.4, 0.4}, .grayscale_probability = 0.2})},
          {"MoCov2", both({.jitter = {0.8, 0.4, 0.4, 0.4, 0.1},
                           .grayscale_probability = 0.2,
                           .blur_probability = 0.5})},
          {"SimCLR",
           both({.jitter = strong_jitter, .grayscale_probability = 0.2, .blur_probability = 0.5})},
          {"RandAug", both({.jitter = strong_jitter,
                            .grayscale_probability = 0.2,
                            .blur_probability = 0.5,
                            .rand_augment = true})},
          {"NULL", both({})},
          {"val", both({.evaluation = true})}};
}

const std::vector<Named>& recipes() {
  static const std::vector<Named> all = make_recipes();
  return all;
}

}  // namespace

std::span<const std::string> recipe_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> found;
    for (const Named& named : recipes()) found.push_back(named.name);
    return found;
  }();
  return names;
}

PairRecipe recipe_named(std::string_view name, double min_area) {
  const auto found = std::ranges::find(recipes(), name, &Named::name);
  if (found == recipes().end()) {
    std::string names;
    for (const Named& named : recipes()) names += " " + named.name;
    engine::fail("there is no augmentation recipe '", name, "'; there are", names);
  }
  PairRecipe recipe = found->recipe;
  for (ViewRecipe& view : recipe) view.min_area = min_area;
  return recipe;
}

}  // namespace pixpro
