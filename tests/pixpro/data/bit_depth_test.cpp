// How the bit depth of a data set is found.
#include "pixpro/data/bit_depth.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "tests/pixpro/data/wide_files.h"

namespace pixpro {
namespace {

struct File {
  std::string name;
  FileBytes bytes;  // none: cannot be read
};

// Files in memory. Counts how often one is read.
class Files : public Source {
 public:
  explicit Files(std::vector<File> files) : files_(std::move(files)) {}

  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  std::string name(int64_t i) const override { return files_[static_cast<size_t>(i)].name; }
  Bytes read(int64_t i, std::vector<uint8_t>& /*buffer*/) const override {
    ++reads;
    const FileBytes& bytes = files_[static_cast<size_t>(i)].bytes;
    engine::require(!bytes.empty(), "cannot open the file");
    return bytes;
  }

  mutable int64_t reads = 0;

 private:
  std::vector<File> files_;
};

FileBytes narrow_pgm() {
  FileBytes file;
  put_text(file, "P5 1 1 255\n");
  file.push_back(255);
  return file;
}

TEST(BitDepth, IsTheNextThatHoldsTheLargestSample) {
  const std::vector<std::pair<uint32_t, int>> expected = {
      {0, 8},     {255, 8},   {256, 10},   {1023, 10},  {1024, 12}, {3871, 12},
      {4095, 12}, {4096, 14}, {16383, 14}, {16384, 16}, {65535, 16}};
  for (const auto& [largest, bits] : expected) {
    EXPECT_EQ((BitDepthEstimate{.wide_images = 1, .largest_sample = largest}).bit_depth(), bits);
  }
  EXPECT_EQ(BitDepthEstimate{}.bit_depth(), 16);
}

TEST(BitDepth, OneBrightPixelDecides) {
  std::vector<File> files(40, {"night.pgm", wide_pgm(std::vector<uint16_t>(1000, 30))});
  files[17].bytes = wide_pgm({10, 20, 60000, 5});
  const BitDepthEstimate found = estimate_bit_depth(Files(files));
  EXPECT_EQ(found.wide_images, 40);
  EXPECT_EQ(found.largest_sample, 60000U);
  EXPECT_EQ(found.bit_depth(), 16);
}

TEST(BitDepth, IsFoundAmongOtherImages) {
  // Pairs in turn, of which a regular stride might meet one kind only.
  std::vector<File> files;
  for (int i = 0; i < 200; ++i) {
    files.push_back({"color.png", narrow_pgm()});
    files.push_back({"depth.png", wide_pgm({1, 3000})});
  }
  const Files source(files);
  const BitDepthEstimate found = estimate_bit_depth(source);
  EXPECT_EQ(found.wide_images, 64);
  EXPECT_EQ(found.bit_depth(), 12);
  EXPECT_EQ(estimate_bit_depth(source).largest_sample, found.largest_sample);
}

TEST(BitDepth, BrokenImagesDoNotCount) {
  FileBytes cut = wide_pgm({65535, 65535});
  cut.pop_back();
  const std::vector<File> files = {
      {"a.pgm", wide_pgm({200})}, {"b.pgm", cut}, {"c.pgm", {}}, {"d.pgm", wide_png(0, {100})}};
  const BitDepthEstimate found = estimate_bit_depth(Files(files));
  EXPECT_EQ(found.wide_images, 2);
  EXPECT_EQ(found.largest_sample, 200U);
}

TEST(BitDepth, CostsLittleWithoutWideImages) {
  const Files photos(std::vector<File>(5000, {"DCIM/a.JPG", narrow_pgm()}));
  EXPECT_EQ(estimate_bit_depth(photos).wide_images, 0);
  EXPECT_EQ(photos.reads, 0);
  const Files others(std::vector<File>(5000, {"a.png", narrow_pgm()}));
  EXPECT_EQ(estimate_bit_depth(others).bit_depth(), 16);
  EXPECT_EQ(others.reads, 64);
}

TEST(BitDepth, IsBoundedByTheImagesDecoded) {
  const Files many(std::vector<File>(5000, {"a.png", wide_pgm({1})}));
  EXPECT_EQ(estimate_bit_depth(many).wide_images, 64);
  EXPECT_EQ(many.reads, 64);
}

}  // namespace
}  // namespace pixpro
