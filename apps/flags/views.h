// The flags that say how views are made.
#pragma once

#include <string>

#include "apps/command.h"
#include "pixpro/data/augment/recipes.h"

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

void add_view_flags(Command& command, ViewFlags& flags);  // all but --augment-on
void add_augment_on(Command& command, ViewFlags& flags);

void add_image_size(Command& command, int& image_size);  // --image-size alone

}  // namespace apps
