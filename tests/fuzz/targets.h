// Code that reads bytes which anybody may have written. A target takes any bytes and catches
// engine::Error. Whatever else happens, a crash or another exception, is a defect.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fuzz {

using Bytes = std::span<const uint8_t>;

struct Target {
  const char* name;
  void (*run)(Bytes);
  std::vector<std::string> seeds;  // endings of the files below tests/golden that it starts from
};

// bmp, gif, jpeg, png, pnm, psd, tga, tiff, webp: the decoders. image: decode_image. map: the list
// next to a zip archive. zip: an archive. pack: a packed file.
const std::vector<Target>& targets();
const Target& target(const std::string& name);

// The contents of the files that the target starts from.
std::vector<std::vector<uint8_t>> seeds_of(const Target& target);

}  // namespace fuzz
