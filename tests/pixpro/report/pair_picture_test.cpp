#include "pixpro/report/pair_picture.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/source.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"
#include "tests/support/temp_dir.h"

namespace pixpro {
namespace {

// Notes which images are read. All are the same; those in `broken` cannot be decoded.
class NotingSource : public Source {
 public:
  NotingSource(int64_t size, const Image& image) : size_(size), bytes_(encode_jpeg(image, 90)) {}

  int64_t size() const override { return size_; }
  std::string name(int64_t i) const override { return "image " + std::to_string(i); }
  Bytes read(int64_t i, std::vector<uint8_t>&) const override {
    read_.push_back(i);
    engine::require(!broken.contains(i), "it is broken");
    return bytes_;
  }

  std::set<int64_t> broken;
  mutable std::vector<int64_t> read_;

 private:
  int64_t size_;
  std::vector<uint8_t> bytes_;
};

LoaderOptions options_of_views(int size) {
  LoaderOptions options;
  options.image_size = size;
  return options;
}

class PairPicture : public testing::Test {
 protected:
  void write(const NotingSource& source) const {
    write_pair_picture(path_, source, options_, 7, 0.7);
  }

  test_support::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "views.png";
  LoaderOptions options_ = options_of_views(64);
};

TEST_F(PairPicture, ReadsOneImageAndShowsTheViewsOfTheRun) {
  const NotingSource source(100, test_image(120, 80, 1));
  write(source);
  ASSERT_EQ(source.read_.size(), 1U);
  std::vector<uint8_t> buffer;
  const Image image = decode_image(source.read(0, buffer));
  const ViewPair pair = make_view_pair(image, source.read_[0], options_, 7, 0.7);
  EXPECT_EQ(read_image(path_).rgb, paint_pairs(pair).rgb);
  std::set<int64_t> cells;
  for (const auto& [first, second] : pair.positives) cells.insert(first);
  EXPECT_GE(cells.size(), 12U) << "a quarter of the cells";
}

TEST_F(PairPicture, TriesAFewImagesIfSomeAreBroken) {
  NotingSource source(100, test_image(120, 80, 1));
  write(source);
  source.broken = {source.read_[0]};
  source.read_.clear();
  write(source);
  EXPECT_EQ(source.read_.size(), 2U);

  for (int64_t i = 0; i < source.size(); ++i) source.broken.insert(i);
  source.read_.clear();
  const std::string error = test_support::error_of([&] { write(source); });
  EXPECT_NE(error.find(source.name(source.read_.back()) + ": it is broken"), std::string::npos);
  EXPECT_EQ(source.read_.size(), 8U);
}

// As in sets in which every image has a map of depths beside it.
TEST_F(PairPicture, FindsAnImageIfEverySecondFileIsOfAnotherKind) {
  for (const int first : {0, 1}) {
    NotingSource source(64, test_image(120, 80, 1));
    for (int64_t i = first; i < source.size(); i += 2) source.broken.insert(i);
    write(source);
  }
}

TEST_F(PairPicture, ShrinksALargeImage) {
  const NotingSource source(1, test_image(3000, 1001, 1));
  write(source);
  EXPECT_EQ(read_image(path_).height, 544);
}

TEST_F(PairPicture, OfAnEmptySourceIsAnError) {
  const NotingSource source(0, test_image(4, 4, 1));
  EXPECT_NE(test_support::error_of([&] { write(source); }), "no error");
}

}  // namespace
}  // namespace pixpro
