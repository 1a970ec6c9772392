#include "engine/files/escaped.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

TEST(Escaped, LeavesVisibleTextAsItIs) {
  for (const char* text : {"", "photos/a b.jpg", "C:\\photos", "é ü 猫 🐈.jpg", "it's \"it\""}) {
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(Escaped, ShowsControlCharactersAndMarksOfDirection) {
  EXPECT_EQ(escaped("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(escaped("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(escaped("\u009b2J"), "\\xc2\\x9b2J") << "a control sequence of one character";
  EXPECT_EQ(escaped("gpj\u202e.exe"), "gpj\\xe2\\x80\\xae.exe");
}

TEST(Escaped, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(escaped("caf\xe9.jpg"), "caf\\xe9.jpg") << "Latin-1";
  EXPECT_EQ(escaped("\xc3"), "\\xc3") << "cut short";
  EXPECT_EQ(escaped("\xe7\x8c"), "\\xe7\\x8c") << "cut short";
  EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf") << "longer than needed";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "half of a pair";
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(escaped("\xff\xfe"), "\\xff\\xfe");
}

TEST(Escaped, ChangesNothingTheSecondTime) {
  const std::string once = escaped("a\nb\xff\\n\u202e");
  EXPECT_EQ(escaped(once), once);
}

}  // namespace
}  // namespace engine
