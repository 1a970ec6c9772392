// Short runs of pixpro pretrain on generated images.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pixpro/data/image.h"
#include "tests/apps/program.h"
#include "tests/support/hashed.h"
#include "tests/support/temp_dir.h"

namespace apps {

namespace fs = std::filesystem;
using engine::Tensor;
using test_support::TempDir;

inline std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Coloured noise, smooth enough that crops of one image resemble each other.
inline void write_images(const fs::path& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const Tensor noise = test_support::hashed_tensor("picture" + std::to_string(i), {3, 10, 12});
    pixpro::Image image(120, 100);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          const double u = noise.data<double>()[(c * 10 + y / 10) * 12 + x / 10];
          image.row(y)[3 * x + c] = static_cast<uint8_t>(127.5 + 127.0 * u);
        }
      }
    }
    write_png(folder / ("picture" + std::to_string(i) + ".png"), image);
  }
}

inline std::vector<nlohmann::json> read_metrics(const fs::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

class Pretrain : public testing::Test {
 protected:
  // 9 images make 2 steps per epoch.
  std::vector<std::string> arguments(const fs::path& out, const std::vector<std::string>& more,
                                     int epochs) const {
    std::vector<std::string> all = {"pretrain",
                                    "--arch",
                                    "resnet18",
                                    "--image-size",
                                    "33",
                                    "--warmup-epoch",
                                    "0",
                                    "--threads",
                                    "2",
                                    "--batch-size",
                                    "4",
                                    "--epochs",
                                    std::to_string(epochs),
                                    "--data-dir",
                                    data_.string(),
                                    "--output-dir",
                                    out.string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  CommandResult train(const fs::path& out, const std::vector<std::string>& more = {},
                      int epochs = 2) const {
    return run_pixpro(arguments(out, more, epochs));
  }

  void SetUp() override {
    fs::create_directory(dir_.path() / "photos");
    write_images(dir_.path() / "photos", 9);
  }

  TempDir dir_;
  fs::path data_ = dir_.path() / "photos";
};

}  // namespace apps
