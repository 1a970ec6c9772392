// pixpro augment: shows what the augmentation does to an image, or applies given operations to it.
#include <filesystem>
#include <iostream>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/machine.h"
#include "apps/flags/model.h"
#include "apps/flags/views.h"
#include "apps/image_ops.h"
#include "apps/run/output_folder.h"
#include "pixpro/report/pair_picture.h"

namespace apps {
namespace {

namespace fs = std::filesystem;

struct AugmentFlags {
  fs::path image, out;
  std::string ops;
  ViewFlags views;
  BitDepthFlag bit_depth;
  double pos_ratio = 0.7;
  uint64_t seed = 0;
};

void write_views(const AugmentFlags& flags, const pixpro::Image& image) {
  pixpro::LoaderOptions options;
  options.recipe = flags.views.recipe();
  options.image_size = flags.views.image_size;
  options.seed = flags.seed;
  const int64_t grid = flags.views.grid();
  const pixpro::ViewPair pair = make_view_pair(image, 0, options, grid, flags.pos_ratio);
  make_output_folder(flags.out);
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
  write_png(flags.out / "pairs.png", paint_pairs(pair));
  std::cout << "pairs.png  " << pair.positives.size() << " positive pairs of " << grid << " x "
            << grid << " cells" << std::endl;
}

void augment(const AugmentFlags& flags) {
  const pixpro::DecodeOptions decoding = decode_options(flags.bit_depth, flags.image);
  const pixpro::Image image = pixpro::read_image(flags.image, decoding);
  if (flags.ops.empty()) return write_views(flags, image);
  write_png(flags.out, apply_operations(image, flags.ops));
}

}  // namespace

void add_augment(CLI::App& app) {
  auto flags = std::make_shared<AugmentFlags>();
  Command command(app, "augment", "Show the two views of an image, or apply operations to it");
  command.add("--image", &flags->image, ChangesNumbers::yes, "The image")->required();
  command
      .add("--out", &flags->out, ChangesNumbers::no,
           "Folder for view1.png, view2.png and pairs.png; with --ops: the PNG file")
      ->required();
  CLI::Option* ops =
      command.add("--ops", &flags->ops, ChangesNumbers::yes,
                  R"(Exactly these operations: '[{"op": "hue", "shift": 0.07}, ...]')");
  add_bit_depth(command, flags->bit_depth);
  add_view_flags(command, flags->views);
  add_seed(command, flags->seed);
  add_pos_ratio(command, flags->pos_ratio);
  for (const char* flag : {"--aug", "--crop", "--image-size", "--seed", "--pixpro-pos-ratio"}) {
    ops->excludes(flag);
  }
  command.set_job([flags] { augment(*flags); });
}

}  // namespace apps
