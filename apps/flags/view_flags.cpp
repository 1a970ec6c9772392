#include "apps/flags/view_flags.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "apps/flags/flag_checks.h"

namespace apps {

void add_view_flags(CLI::App& command, ViewFlags& flags) {
  const auto names = pixpro::recipe_names();
  command.add_option("--aug", flags.aug, "How the two views are drawn")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->capture_default_str();
  command.add_option("--crop", flags.crop, "Least part of an image's area a view shows")
      ->check(number_in(1e-6, 1.0))
      ->capture_default_str();
  command.add_option("--image-size", flags.image_size, "Side of a view in pixels")
      ->check(CLI::Range(33, 4096))
      ->capture_default_str();
}

pixpro::Settings settings_of(const ViewFlags& flags) {
  return {{"--aug", flags.aug},
          {"--crop", nlohmann::json(flags.crop).dump()},
          {"--image-size", std::to_string(flags.image_size)}};
}

void add_augment_on(CLI::App& command, ViewFlags& flags) {
  command
      .add_option("--augment-on", flags.augment_on,
                  "Where crops become views: cpu, in the workers, or gpu, on the --device")
      ->check(CLI::IsMember({"cpu", "gpu"}))
      ->capture_default_str();
}

}  // namespace apps
