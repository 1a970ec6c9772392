// pixpro augment: what the augmentation does to one picture, or exactly the operations asked for.
#include <filesystem>
#include <iostream>
#include <memory>

#include "apps/commands.h"
#include "apps/picture_ops.h"
#include "engine/error.h"
#include "pixpro/train/pair_picture.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

struct AugmentFlags {
  fs::path image, out;
  std::string ops;
  std::string aug = "BYOL";
  double crop = 0.08;
  int image_size = 224;
  double pos_ratio = 0.7;
  uint64_t seed = 0;
};

void write_views(const AugmentFlags& flags, const pixpro::Image& image) {
  pixpro::LoaderOptions options;
  options.recipe = pixpro::recipe_named(flags.aug, flags.crop);
  options.image_size = flags.image_size;
  options.seed = flags.seed;
  const int64_t grid = (flags.image_size + 31) / 32;  // five halvings, each rounding up
  const pixpro::ViewPair pair = make_view_pair(image, 0, options, grid, flags.pos_ratio);
  std::error_code error;
  fs::create_directories(flags.out, error);
  engine::require(!error && fs::is_directory(flags.out), "augment: cannot make the folder '",
                  flags.out.string(), "': ", error.message());
  for (size_t v = 0; v < 2; ++v) {
    const pixpro::ViewParameters& view = pair.parameters[v];
    const std::string name = "view" + std::to_string(v + 1) + ".png";
    write_png(flags.out / name, pair.views[v]);
    std::cout << name << "  " << view.crop.width << " x " << view.crop.height << " pixels at ("
              << view.crop.left << ", " << view.crop.top << ")";
    if (view.shorter_side > 0) std::cout << ", shorter side " << view.shorter_side;
    if (view.flip) std::cout << ", flipped";
    for (const pixpro::Step& step : view.steps) {
      const pixpro::OpInfo& info = info_of(step.op);
      std::cout << ", " << info.name;
      if (info.parameter != nullptr) std::cout << ' ' << step.amount;
    }
    std::cout << '\n';
  }
  write_png(flags.out / "pairs.png", draw_pairs(pair));
  std::cout << "pairs.png  " << pair.positives.size() << " positive pairs of " << grid << " x "
            << grid << " cells" << std::endl;
}

void augment(const AugmentFlags& flags) {
  const pixpro::Image image = pixpro::read_image(flags.image);
  if (flags.ops.empty()) return write_views(flags, image);
  write_png(flags.out, apply_operations(image, flags.ops));
}

}  // namespace

void add_augment(CLI::App& app) {
  auto flags = std::make_shared<AugmentFlags>();
  CLI::App* command =
      app.add_subcommand("augment", "Show the two views of a picture, or apply operations to it");
  command->add_option("--image", flags->image, "The picture")->required();
  command
      ->add_option("--out", flags->out,
                   "Folder for view1.png, view2.png and pairs.png; with --ops: the PNG file")
      ->required();
  CLI::Option* ops = command->add_option(
      "--ops", flags->ops, R"(Exactly these operations: '[{"op": "hue", "shift": 0.07}, ...]')");
  const auto names = pixpro::recipe_names();
  command->add_option("--aug", flags->aug, "How the two views are drawn")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())))
      ->excludes(ops)
      ->capture_default_str();
  command->add_option("--seed", flags->seed, "Of the views")->excludes(ops)->capture_default_str();
  command->add_option("--crop", flags->crop, "Least part of the picture's area a view shows")
      ->check(CLI::Range(1e-6, 1.0))
      ->excludes(ops)
      ->capture_default_str();
  command->add_option("--image-size", flags->image_size, "Side of a view in pixels")
      ->check(CLI::Range(33, 4096))
      ->excludes(ops)
      ->capture_default_str();
  command
      ->add_option("--pixpro-pos-ratio", flags->pos_ratio,
                   "Largest distance of a positive pair, in bin diagonals")
      ->check(CLI::PositiveNumber)
      ->excludes(ops)
      ->capture_default_str();
  command->callback([flags] { augment(*flags); });
}

}  // namespace apps
