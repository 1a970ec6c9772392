#include "pixpro/data/sources/image_names.h"

#include <gtest/gtest.h>

namespace pixpro {
namespace {

TEST(ImageNames, EndingsAreLettersAndDigitsAfterTheLastDot) {
  EXPECT_EQ(ending_of("a.JPG"), ".jpg");
  EXPECT_EQ(ending_of("a.tar.Gz"), ".gz");
  EXPECT_EQ(ending_of("a.mp4"), ".mp4");
  EXPECT_EQ(ending_of("a.safetensors"), ".safetensors");
  for (const char* name : {"photo", "a.", "img.0001", "2019.05.12 at noon", "a.jpg?w=200",
                           "a.jpg:large", "a.jpg ", "a.muchlongerthanendings"}) {
    EXPECT_EQ(ending_of(name), "") << name;
  }
}

TEST(ImageNames, ImagesThatAreNotReadAreSaidToBeImages) {
  EXPECT_TRUE(is_image_ending(".jfif"));
  EXPECT_FALSE(is_image_ending(".heic"));
  EXPECT_FALSE(is_image_ending(""));
  EXPECT_EQ(as_reason(".heic"), ".heic (not supported)");
  EXPECT_EQ(as_reason(".txt"), ".txt");
}

TEST(ImageNames, HiddenNamesAndThoseOfSystemsAreReserved) {
  EXPECT_EQ(reserved_name("._a.jpg"), "hidden");
  EXPECT_EQ(reserved_name(".DS_Store"), "hidden");
  for (const char* name :
       {"__MACOSX", "@eaDir", "Thumbs.db", "thumbs.DB", "desktop.ini", "$RECYCLE.BIN"}) {
    EXPECT_EQ(reserved_name(name), name);
  }
  for (const char* name : {"", "a.jpg", "_a.jpg", "@a", "MACOSX", "Thumbs.jpg"}) {
    EXPECT_EQ(reserved_name(name), "") << name;
  }
  EXPECT_EQ(reserved_path("a/b.jpg"), "");
  EXPECT_EQ(reserved_path("__MACOSX/a/b.jpg"), "__MACOSX");
  EXPECT_EQ(reserved_path("a/.b/c.jpg"), "hidden");
  EXPECT_EQ(reserved_path("a//._c.jpg"), "hidden");
}

TEST(ImageNames, PatternsMatchAPathOrANameOfItsParts) {
  const auto excluded = [](const char* pattern, const char* path) {
    return excludes({"never", pattern}, path);
  };
  EXPECT_TRUE(excluded("*.png", "a/b.png"));
  EXPECT_TRUE(excluded("b.*", "a/b.png"));
  EXPECT_TRUE(excluded("a/*", "a/b/c.png"));
  EXPECT_TRUE(excluded("a", "a/b/c.png"));
  EXPECT_TRUE(excluded("b", "a/b/c.png"));
  EXPECT_TRUE(excluded("a/b", "a/b/c.png"));
  EXPECT_FALSE(excluded("b/c.png", "a/b/c.png"));
  EXPECT_FALSE(excluded("*.PNG", "a/b.png"));
  EXPECT_FALSE(excludes({}, "a"));
}

}  // namespace
}  // namespace pixpro
