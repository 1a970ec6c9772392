#include "apps/flags/views.h"

#include <vector>

#include "apps/flags/checks.h"

namespace apps {
namespace {

// The smallest side is that of one cell of the last feature map.
CLI::Validator view_side() {
  const CLI::Validator range = number_in(32, 4096);
  const auto check = [range](const std::string& text) {
    const std::string error = range(text);
    return error.empty() ? error : error + "; the backbone makes one cell of 32 x 32 pixels";
  };
  return {check, range.get_description()};
}

}  // namespace

void add_view_flags(Command& command, ViewFlags& flags) {
  const auto names = pixpro::recipe_names();
  command.add("--aug", &flags.aug, ChangesNumbers::yes, "Augmentation recipe of the two views",
              CLI::IsMember(std::vector<std::string>(names.begin(), names.end())));
  command.add("--crop", &flags.crop, ChangesNumbers::yes,
              "Smallest part of an image's area that a view shows", number_in(1e-6, 1.0));
  add_image_size(command, flags.image_size);
}

void add_augment_on(Command& command, ViewFlags& flags) {
  command.add("--augment-on", &flags.augment_on, ChangesNumbers::no,
              "Where crops become views: cpu, in the workers, or gpu, on the --device",
              CLI::IsMember({"cpu", "gpu"}));
}

void add_image_size(Command& command, int& image_size) {
  command.add("--image-size", &image_size, ChangesNumbers::yes, "Side of a view in pixels",
              view_side());
}

}  // namespace apps
