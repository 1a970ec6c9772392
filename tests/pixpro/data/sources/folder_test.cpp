#include "pixpro/data/sources/folder.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

std::vector<std::string> relative_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& path : list_images(folder)) {
    names.push_back(std::filesystem::relative(path.parent_path(), folder) / path.filename());
  }
  return names;
}

TEST(Folder, ListsImagesBytewiseByRelativePath) {
  const ScratchFolder scratch;
  for (const char* name : {"b.jpg", "B.JPG", "a/z.Png", "a/b/c.jpeg", "a.png", "a-b/x.jpg", "é.jpg",
                           "notes.txt", "jpg", "a/archive.png.zip", "1.webp", "2.TIFF", "3.pgm",
                           "4.gif", "5.psd", "6.tga", "7.pbm"}) {
    scratch.write(name, "x");
  }
  const std::vector<std::string> expected{
      "./1.webp",  "./2.TIFF", "./3.pgm",    "./4.gif", "./5.psd", "./6.tga", "./B.JPG",
      "a-b/x.jpg", "./a.png",  "a/b/c.jpeg", "a/z.Png", "./b.jpg", "./é.jpg"};
  EXPECT_EQ(relative_names(scratch.path()), expected);
}

TEST(Folder, FollowsLinksButNotInCircles) {
  const ScratchFolder scratch;
  scratch.write("set/class/1.jpg", "x");
  scratch.write("elsewhere/2.jpg", "x");
  const auto set = scratch.path() / "set";
  std::filesystem::create_directory_symlink(scratch.path() / "elsewhere", set / "linked");
  std::filesystem::create_directory_symlink(set, set / "class" / "up");
  std::filesystem::create_symlink("class/1.jpg", set / "same.jpg");
  std::filesystem::create_symlink("gone.jpg", set / "dangling.jpg");
  std::filesystem::create_symlink("itself.jpg", set / "itself.jpg");
  std::vector<std::string> names;
  for (const auto& path : list_images(set))
    names.push_back(path.string().substr(set.string().size()));
  EXPECT_EQ(names, (std::vector<std::string>{"/class/1.jpg", "/dangling.jpg", "/itself.jpg",
                                             "/linked/2.jpg", "/same.jpg"}));
}

TEST(Folder, SaysWhatIsMissing) {
  const ScratchFolder scratch;
  scratch.write("notes.txt", "x");
  const auto message = [](const std::filesystem::path& path) {
    return test_support::error_of([&] { list_images(path); });
  };
  EXPECT_NE(message(scratch.path() / "none").find("does not exist"), std::string::npos);
  EXPECT_NE(message(scratch.path() / "notes.txt").find("not a folder"), std::string::npos);
  EXPECT_NE(message(scratch.path()).find("no JPEG, PNG"), std::string::npos);
}

}  // namespace
}  // namespace pixpro
