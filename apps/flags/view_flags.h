// The flags that say how views are made, shared by pretrain, augment and bench loader.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "pixpro/data/augment/recipes.h"
#include "pixpro/train/checkpoint.h"

namespace apps {

struct ViewFlags {
  std::string aug = "BYOL";
  double crop = 0.08;
  int image_size = 224;
  std::string augment_on = "cpu";

  bool on_gpu() const { return augment_on == "gpu"; }
  pixpro::PairRecipe recipe() const { return pixpro::recipe_named(aug, crop); }

  // Height and width of the last feature map: five halvings, each rounding up.
  int grid() const { return (image_size + 31) / 32; }
};

// What a run's numbers depend on, by flag.
pixpro::Settings settings_of(const ViewFlags& flags);

// --aug, --crop and --image-size
void add_view_flags(CLI::App& command, ViewFlags& flags);
void add_augment_on(CLI::App& command, ViewFlags& flags);  // --augment-on

}  // namespace apps
