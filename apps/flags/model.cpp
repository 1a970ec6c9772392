#include "apps/flags/model.h"

#include "apps/flags/checks.h"

namespace apps {

void add_model_flags(Command& command, ModelFlags& flags) {
  command.add("--arch", &flags.arch, ChangesNumbers::yes, "Backbone",
              CLI::IsMember(layers::resnet_names()));
  command.add("--model", &flags.model, ChangesNumbers::yes, "Method",
              CLI::IsMember({"PixPro", "PixContrast"}));
  const auto only_pixpro = [&](const CLI::Option* option) {
    command.needs(option, "--model PixPro", [&flags] { return !flags.contrast(); });
  };
  only_pixpro(command.add("--pixpro-p", &flags.pixpro_p, ChangesNumbers::yes,
                          "PixPro: power of the similarity in the propagation",
                          number_in(0.0, 1000.0)));
  command.add("--pixpro-momentum", &flags.pixpro_momentum, ChangesNumbers::yes,
              "Momentum of the momentum encoder at the first step; it rises to 1",
              number_in(0.0, 1.0));
  add_pos_ratio(command, flags.pixpro_pos_ratio);
  only_pixpro(command.add("--pixpro-clamp-value", &flags.pixpro_clamp_value, ChangesNumbers::yes,
                          "PixPro: smallest similarity in the propagation; lower ones are raised "
                          "to it",
                          number_in(-kLargest, 1.0)));
  only_pixpro(command.add("--pixpro-transform-layer", &flags.pixpro_transform_layer,
                          ChangesNumbers::yes, "PixPro: layers of the value transform",
                          CLI::Range(0, 2)));
  command.add("--pixpro-ins-loss-weight", &flags.pixpro_ins_loss_weight, ChangesNumbers::yes,
              "Weight of the instance loss; 0: no instance branch", number_in(0.0, kLargest));
  command.needs(
      command.add("--pixcontrast-temperature", &flags.pixcontrast_temperature, ChangesNumbers::yes,
                  "PixContrast: temperature of the loss", number_in(1e-6, kLargest)),
      "--model PixContrast", [&flags] { return flags.contrast(); });
}

void add_pos_ratio(Command& command, double& pos_ratio) {
  command.add("--pixpro-pos-ratio", &pos_ratio, ChangesNumbers::yes,
              "Largest distance of a positive pair, in bin diagonals", number_in(1e-12, kLargest));
}

pixpro::ModelOptions model_options(const ModelFlags& flags) {
  return {.arch = flags.arch,
          .contrast = flags.contrast(),
          .propagation = {.power = flags.pixpro_p,
                          .clamp = flags.pixpro_clamp_value,
                          .transform_layers = flags.contrast() ? 0 : flags.pixpro_transform_layer},
          .pos_ratio = flags.pixpro_pos_ratio,
          .temperature = flags.pixcontrast_temperature,
          .instance_weight = flags.pixpro_ins_loss_weight};
}

}  // namespace apps
