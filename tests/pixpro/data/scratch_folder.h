// What tests of data sets work on: a folder of files and made-up images.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "pixpro/data/image.h"
#include "tests/support/temp_dir.h"

namespace pixpro {

class ScratchFolder : public test_support::TempDir {
 public:
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    const std::filesystem::path file = path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }
};

// An image that is smooth in both directions, and different for every `kind`.
inline Image test_image(int width, int height, int kind) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<uint8_t>(3 * x + 40 * kind);
      pixel[1] = static_cast<uint8_t>(2 * y + x + 17 * kind);
      pixel[2] = static_cast<uint8_t>(x * y / 7 + kind);
    }
  }
  return image;
}

}  // namespace pixpro
