// What reads bytes that anybody may have written. Each target takes any bytes, and may only return
// or throw engine::Error (which it keeps to itself): everything else is a defect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fuzz {

using Bytes = std::span<const uint8_t>;

struct Target {
  const char* name;
  void (*run)(Bytes);
  std::vector<std::string> seeds;  // endings of files below tests/golden that it starts from
};

// bmp, jpeg, png, pnm, tiff, webp: the decoders. map: the list beside a zip archive. zip: reading
// an archive. pack: a packed file. image: whatever decode_image takes it for.
const std::vector<Target>& targets();
const Target& target(const std::string& name);

// Files that `target` starts from: those of the reference pictures that fit, or made ones.
std::vector<std::vector<uint8_t>> seeds_of(const Target& target);

}  // namespace fuzz
