#include "pixpro/data/sources/fingerprint.h"

#include <gtest/gtest.h>

#include "pixpro/data/sources/packed.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/zip_file.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override {
    scratch_.write("set/a.png", "first");
    scratch_.write("set/b/c.png", "second");
  }
  std::string of_folder(const fs::path& folder) const {
    return fingerprint_of(*open_folder(scratch_.path() / folder));
  }

  ScratchFolder scratch_;
};

TEST_F(FingerprintTest, DependsOnNamesAndSizes) {
  const std::string before = of_folder("set");
  EXPECT_EQ(before.size(), 16U);
  EXPECT_EQ(before.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(of_folder("set"), before);
  scratch_.write("set/a.png", "other");
  EXPECT_EQ(of_folder("set"), before) << "the content is not read";
  scratch_.write("set/a.png", "longer than before");
  EXPECT_NE(of_folder("set"), before);
  scratch_.write("set/a.png", "first");
  fs::rename(scratch_.path() / "set/a.png", scratch_.path() / "set/A.png");
  EXPECT_NE(of_folder("set"), before);
}

TEST_F(FingerprintTest, DoesNotDependOnThePlace) {
  const std::string before = of_folder("set");
  fs::rename(scratch_.path() / "set", scratch_.path() / "moved");
  fs::create_directory_symlink("moved", scratch_.path() / "link");
  EXPECT_EQ(of_folder("moved"), before);
  EXPECT_EQ(of_folder("link"), before);
  EXPECT_EQ(fingerprint_of(*open_folder(scratch_.path() / "moved/.")), before);
}

TEST_F(FingerprintTest, IsThatOfTheSameImagesInOneFile) {
  const auto source = open_folder(scratch_.path() / "set");
  PackWriter writer(scratch_.path() / "set.pack");
  std::vector<uint8_t> buffer;
  for (int64_t i = 0; i < source->size(); ++i) writer.add(source->path(i), source->read(i, buffer));
  writer.commit();
  const std::string before = fingerprint_of(*source);
  EXPECT_EQ(fingerprint_of(*open_packed(scratch_.path() / "set.pack")), before);
  EXPECT_EQ(fingerprint_of(*with_cache(open_folder(scratch_.path() / "set"), CacheMode::full)),
            before);
  test_support::write_zip(scratch_.path() / "train.zip",
                          {{"a.png", "first"}, {"b/c.png", "second"}});
  scratch_.write("train_map.txt", "a.png\t0\nb/c.png\t1\n");
  EXPECT_EQ(fingerprint_of(*open_zip(scratch_.path())), before);
  scratch_.write("train_map.txt", "b/c.png\t1\na.png\t0\n");
  EXPECT_NE(fingerprint_of(*open_zip(scratch_.path())), before) << "another order";
}

}  // namespace
}  // namespace pixpro
