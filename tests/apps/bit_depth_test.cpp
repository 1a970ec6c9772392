// --bit-depth: 16-bit images that use fewer bits, in every command that decodes images.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "engine/files/tensor_file.h"
#include "pixpro/data/sources/source.h"
#include "tests/apps/pretrain_runs.h"

namespace apps {
namespace {

const std::string kFound = "16-bit images use 12 bits (largest value 4000 in ";

// A gray image of 40 x 40 pixels with 16 bits per sample.
void write_wide(const fs::path& path, uint16_t brightest) {
  std::vector<uint16_t> row;
  for (int i = 0; i < 40 * 40; ++i) row.push_back(static_cast<uint16_t>(brightest * (i % 7) / 6));
  std::string file = "P5 40 40 65535\n";
  for (const uint16_t sample : row) {
    file += static_cast<char>(sample >> 8);
    file += static_cast<char>(sample);
  }
  std::ofstream(path, std::ios::binary) << file;
}

int brightest_of(const fs::path& path) {
  const pixpro::Image image = pixpro::read_image(path);
  return *std::ranges::max_element(image.rgb);
}

class BitDepthFlag : public Pretrain {
 protected:
  void SetUp() override {
    fs::create_directory(data_);
    for (int i = 0; i < 4; ++i) write_wide(image(i), 4000);
  }
  fs::path image(int i) const { return data_ / (std::to_string(i) + ".pgm"); }
};

TEST_F(BitDepthFlag, OfAugmentIsFoundOrGiven) {
  const fs::path out = dir_.path() / "out.png";
  const auto augment = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"augment", "--image", image(0), "--ops", "[]", "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return run_pixpro(words);
  };
  EXPECT_EQ(augment({}).out,
            kFound + "1 of them): --bit-depth 12; give --bit-depth to choose yourself\n");
  EXPECT_EQ(brightest_of(out), 249);
  EXPECT_EQ(augment({"--bit-depth", "16"}).out, "");
  EXPECT_EQ(brightest_of(out), 16);
  EXPECT_EQ(augment({"--bit-depth", "10"}).status, 0);
  EXPECT_EQ(brightest_of(out), 255);
  EXPECT_EQ(augment({"--bit-depth", "9"}).status, 2);
}

TEST_F(BitDepthFlag, OfPackServesImagesThatAreShrunk) {
  const fs::path out = dir_.path() / "a.pack";
  const auto pack = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"pack", data_, out};
    words.insert(words.end(), more.begin(), more.end());
    return run_pixpro(words).out;
  };
  const auto brightest = [&] {
    std::vector<uint8_t> buffer;
    const pixpro::Image first = pixpro::decode_image(pixpro::open_packed(out)->read(0, buffer));
    return *std::ranges::max_element(first.rgb);
  };
  EXPECT_NE(pack({"--shorter-side", "20"}).find(kFound + "4 of them"), std::string::npos);
  EXPECT_GT(brightest(), 150);
  EXPECT_EQ(pack({"--shorter-side", "20", "--bit-depth", "16"}).find(kFound), std::string::npos);
  EXPECT_LT(brightest(), 20);
  EXPECT_EQ(pack({}).find(kFound), std::string::npos) << "nothing is decoded";
}

TEST_F(BitDepthFlag, OfBenchLoaderIsFound) {
  const CommandResult result =
      run_pixpro({"bench", "loader", "--image", image(0), "--count", "1", "--image-size", "33"});
  EXPECT_TRUE(result.out.starts_with(kFound)) << result.out;
}

// The depth that a run found is one of its settings, whatever its images look like later.
TEST_F(BitDepthFlag, OfARunIsFoundOnceAndKept) {
  const fs::path out = dir_.path() / "run";
  const CommandResult first = train(out, {}, 1);
  EXPECT_TRUE(first.out.starts_with(kFound + "4 of them")) << first.out;
  const fs::path checkpoint = out / "current.safetensors", settings = dir_.path() / "settings";
  engine::TensorFile file = engine::read_tensor_file(checkpoint);
  EXPECT_EQ(file.metadata["--bit-depth"], "12");
  file.tensors.clear();  // settings are compared before tensors are read

  write_wide(image(0), 65535);
  const auto resume = [&](const std::vector<std::string>& more) {
    engine::write_tensor_file(settings, file);
    std::vector<std::string> words = {"--resume", settings};
    words.insert(words.end(), more.begin(), more.end());
    return train(dir_.path() / "other", words, 1);
  };
  expect_refusal(resume({}), {"'steps_done'"});
  expect_refusal(resume({"--bit-depth", "12"}), {"'steps_done'"});
  expect_refusal(resume({"--bit-depth", "16"}), {"--bit-depth 12 (asked for: 16)"});

  file.metadata.erase("--bit-depth");  // an older program divided by 256
  expect_refusal(resume({}), {"'steps_done'"});
  expect_refusal(resume({"--bit-depth", "16"}), {"'steps_done'"});
  expect_refusal(resume({"--bit-depth", "12"}), {"--bit-depth 16 (asked for: 12)"});
  file.metadata["--bit-depth"] = "many";
  expect_refusal(resume({}), {"--bit-depth many, expected 8, 10, 12, 14 or 16"});
}

}  // namespace
}  // namespace apps
