// The flag that says which bits of 16-bit samples hold an image.
#pragma once

#include <filesystem>
#include <string>

#include "apps/command.h"
#include "pixpro/data/bit_depth.h"

namespace apps {

struct BitDepthFlag {
  std::string text = "auto";

  bool is_auto() const { return text == "auto"; }
};

void add_bit_depth(Command& command, BitDepthFlag& flag);

// The flag's number. If it is auto, the depth that the images seem to have, which is printed if any
// of them is concerned.
pixpro::DecodeOptions decode_options(const BitDepthFlag& flag, const pixpro::Source& source);
pixpro::DecodeOptions decode_options(const BitDepthFlag& flag, const std::filesystem::path& image);

}  // namespace apps
