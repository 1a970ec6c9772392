#include "apps/flags/bit_depth.h"

#include <set>

#include "apps/console.h"
#include "engine/error.h"
#include "engine/files/tensor_file_header.h"

namespace apps {
namespace {

const std::set<std::string> kDepths = {"8", "10", "12", "14", "16"};

template <class Images>
pixpro::DecodeOptions options_for(const BitDepthFlag& flag, const Images& images) {
  if (!flag.is_auto()) {
    engine::require(kDepths.contains(flag.text), "--bit-depth ", engine::shown(flag.text),
                    ", expected 8, 10, 12, 14 or 16");  // from a checkpoint: it was not checked
    return {.bit_depth = std::stoi(flag.text)};
  }
  const pixpro::BitDepthEstimate found = pixpro::estimate_bit_depth(images);
  const int bit_depth = found.bit_depth();
  if (found.wide_images > 0) {
    const std::string bits = std::to_string(bit_depth);
    say("16-bit images use " + bits + " bits (largest value " +
        std::to_string(found.largest_sample) + " in " + std::to_string(found.wide_images) +
        " of them): --bit-depth " + bits + "; give --bit-depth to choose yourself\n");
    finish_output();  // the command may write elsewhere
  }
  return {.bit_depth = bit_depth};
}

}  // namespace

void add_bit_depth(Command& command, BitDepthFlag& flag) {
  command.add("--bit-depth", &flag.text, ChangesNumbers::yes,
              "How many bits of 16-bit samples hold the image, if its format does not say it; "
              "larger samples become white. auto: as few as the largest sample of up to 64 images "
              "needs",
              CLI::IsMember(kDepths) | CLI::IsMember({"auto"}));
}

pixpro::DecodeOptions decode_options(const BitDepthFlag& flag, const pixpro::Source& source) {
  return options_for(flag, source);
}

pixpro::DecodeOptions decode_options(const BitDepthFlag& flag, const std::filesystem::path& image) {
  return options_for(flag, image);
}

}  // namespace apps
