#include "pixpro/data/sources/skipped.h"

#include <gtest/gtest.h>

namespace pixpro {
namespace {

TEST(Skipped, CountsByReasonMostFrequentFirst) {
  Skipped skipped;
  EXPECT_EQ(skipped.text(), "");
  skipped.add_file("hidden");
  EXPECT_EQ(skipped.text(), "skipped 1 file: 1 hidden");
  for (int i = 0; i < 2; ++i) skipped.add_file(".txt");
  EXPECT_EQ(skipped.text(), "skipped 3 files: 2 .txt, 1 hidden");
  skipped.add_folder("hidden");
  skipped.add_forbidden_folder("lost+found");
  EXPECT_EQ(skipped.text(),
            "skipped 3 files: 2 .txt, 1 hidden; 2 folders: 1 hidden, 1 without permission "
            "(lost+found)");
  EXPECT_EQ(skipped.files().at(".txt"), 2);
}

TEST(Skipped, FoldersAloneMakeALineToo) {
  Skipped skipped;
  for (const char* name : {"a\nb", "b", "c", "d", "e"}) skipped.add_forbidden_folder(name);
  EXPECT_EQ(skipped.text(), "skipped 5 folders: 5 without permission (a\\nb, b, c, d, ...)");
}

TEST(Skipped, TheLineStaysReadable) {
  Skipped skipped;
  for (int i = 0; i < 1000; ++i) skipped.add_file(".x" + std::to_string(i));
  skipped.add_file(".x7");
  EXPECT_EQ(skipped.text(),
            "skipped 1001 files: 900 of other kinds, 2 .x7, 1 .x0, 1 .x1, 1 .x10, 1 .x11, 1 .x12, "
            "1 .x13, 93 others");
  EXPECT_EQ(skipped.files().size(), 101U);
}

}  // namespace
}  // namespace pixpro
