// pixpro pack: puts a folder of images into one file, which pretrain reads.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/flags/bit_depth.h"
#include "apps/flags/source.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/packed.h"
#include "pixpro/data/sources/source.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kAtATime = 256;  // images held in memory
constexpr int kQuality = 90;       // of the JPEGs that shrunk images become

struct PackFlags {
  fs::path data_dir, out;
  bool zip = false;
  int shorter_side = 0;  // 0: no image is changed
  BitDepthFlag bit_depth;
};

// An image on its way into the file.
struct Packed {
  std::vector<uint8_t> bytes;
  std::string trouble;  // why it is left out; empty if it is not
};

// An image whose shorter side is longer than `shorter_side` is shrunk and becomes a JPEG.
Packed prepare(const pixpro::Source& source, int64_t i, int shorter_side,
               const pixpro::DecodeOptions& decoding) {
  Packed packed;
  try {
    std::vector<uint8_t> buffer;
    const pixpro::Bytes encoded = source.read(i, buffer);
    if (shorter_side > 0) {
      const pixpro::Image image = pixpro::decode_image(encoded, decoding);
      if (std::min(image.width, image.height) > shorter_side) {
        packed.bytes = encode_jpeg(resize_shorter(image, shorter_side), kQuality);
        return packed;
      }
    }
    packed.bytes.assign(encoded.begin(), encoded.end());
  } catch (const engine::Error& error) {
    packed.trouble = error.what();
  } catch (const std::bad_alloc&) {
    packed.trouble = "there is not enough memory for it";
  }
  return packed;
}

std::string name_in(const pixpro::Source& source, int64_t i, const PackFlags& flags) {
  const std::string name = source.name(i);
  return flags.zip ? name : fs::path(name).lexically_relative(flags.data_dir).string();
}

void pack(const PackFlags& flags) {
  const std::unique_ptr<pixpro::Source> source = pixpro::open_source(flags.data_dir, flags.zip);
  // Images that are not shrunk stay as they are, with all their bits.
  pixpro::DecodeOptions decoding;
  if (flags.shorter_side > 0) decoding = decode_options(flags.bit_depth, *source);
  pixpro::PackWriter writer(flags.out);
  const int64_t count = source->size();
  Clock::time_point printed = Clock::now();
  for (int64_t first = 0; first < count; first += kAtATime) {
    std::vector<Packed> images(static_cast<size_t>(std::min(kAtATime, count - first)));
    engine::parallel_for(static_cast<int64_t>(images.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        images[static_cast<size_t>(i)] = prepare(*source, first + i, flags.shorter_side, decoding);
      }
    });
    for (size_t i = 0; i < images.size(); ++i) {
      const int64_t index = first + static_cast<int64_t>(i);
      if (images[i].trouble.empty()) {
        writer.add(name_in(*source, index, flags), images[i].bytes);
      } else {
        std::cerr << "pixpro: skipped: " << source->name(index) << ": " << images[i].trouble
                  << '\n';
      }
    }
    if (Clock::now() - printed < std::chrono::seconds(1)) continue;
    printed = Clock::now();
    std::cout << writer.size() << " of " << count << " images" << std::endl;
  }
  writer.commit();
  std::cout << writer.size() << " of " << count << " images, " << writer.bytes() << " bytes, in "
            << flags.out.string() << std::endl;
}

}  // namespace

void add_pack(CLI::App& app) {
  auto flags = std::make_shared<PackFlags>();
  Command command(app, "pack", "Put a folder of images into one file");
  command.add("DIR", &flags->data_dir, ChangesNumbers::yes, "Folder of images at any depth")
      ->required();
  command.add("OUT", &flags->out, ChangesNumbers::no, "The file; pretrain takes it as --data-dir")
      ->required();
  add_zip(command, flags->zip);
  command.add("--shorter-side", &flags->shorter_side, ChangesNumbers::yes,
              "Pixels of the shorter side to which larger images are shrunk, as JPEG; 0: all "
              "images stay as they are",
              CLI::Range(0, 65500));
  add_bit_depth(command, flags->bit_depth);
  command.set_job([flags] { pack(*flags); });
}

}  // namespace apps
