// The flags of the network and the method.
#pragma once

#include <string>

#include "apps/command.h"
#include "pixpro/method/model.h"

namespace apps {

struct ModelFlags {
  std::string arch = "resnet50";
  std::string model = "PixPro";
  double pixpro_p = 2.0;
  double pixpro_momentum = 0.99;
  double pixpro_pos_ratio = 0.7;
  double pixpro_clamp_value = 0.0;
  int pixpro_transform_layer = 1;
  double pixpro_ins_loss_weight = 0.0;
  double pixcontrast_temperature = 0.3;

  bool contrast() const { return model == "PixContrast"; }
};

// Flags of one method are refused with the other.
void add_model_flags(Command& command, ModelFlags& flags);

void add_pos_ratio(Command& command, double& pos_ratio);  // --pixpro-pos-ratio alone

pixpro::ModelOptions model_options(const ModelFlags& flags);

}  // namespace apps
