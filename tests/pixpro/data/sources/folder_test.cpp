#include "pixpro/data/sources/folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

Names names_of(const ImageList& images) {
  Names names;
  for (int64_t i = 0; i < images.size(); ++i) names.push_back(images.path(i));
  return names;
}

Names listed(const fs::path& folder, const Selection& selection = {}) {
  return names_of(list_images(folder, selection));
}

TEST(Folder, ListsImagesBytewiseByRelativePath) {
  const ScratchFolder scratch;
  for (const char* name : {"b.jpg",     "B.JPG",  "a/z.Png",   "a/b/c.jpeg", "a.png",
                           "a-b/x.jpg", "é.jpg",  "notes.txt", "jpg",        "a/archive.png.zip",
                           "1.webp",    "2.TIFF", "3.pgm",     "4.gif",      "5.psd",
                           "6.tga",     "7.pbm",  "8.jpe",     "8.JFIF",     "8.jif"}) {
    scratch.write(name, "x");
  }
  EXPECT_EQ(listed(scratch.path()), (Names{"1.webp", "2.TIFF", "3.pgm", "4.gif", "5.psd", "6.tga",
                                           "8.JFIF", "8.jif", "8.jpe", "B.JPG", "a-b/x.jpg",
                                           "a.png", "a/b/c.jpeg", "a/z.Png", "b.jpg", "é.jpg"}));
  EXPECT_EQ(list_images(scratch.path()).skipped.text(),
            "skipped 4 files: 1 .pbm (not supported), 1 .txt, 1 .zip, 1 of no known format");
}

TEST(Folder, TheOrderIsThatOfWholePaths) {
  const ScratchFolder scratch;
  const Names parts{"a", "a!", "a.", "a0", "aa", "b", "ab", "a b"};
  for (const std::string& first : parts) {
    for (const std::string& second : parts) scratch.write(first + "/" + second + "/x.jpg", "x");
    scratch.write(first + ".jpg", "x");
    scratch.write(first + "/" + first + ".png", "x");
  }
  const Names found = listed(scratch.path());
  EXPECT_EQ(found.size(), 80U);
  EXPECT_TRUE(std::ranges::is_sorted(found));
}

TEST(Folder, FilesWithoutAnEndingCountByTheirContent) {
  const ScratchFolder scratch;
  write_png(scratch.path() / "photo", test_image(3, 2, 0));
  fs::rename(scratch.write("raw", "\xFF\xD8\xFF\xE0"), scratch.path() / "img.0001");
  scratch.write("a.jpg?w=200", "GIF89a");
  scratch.write("README", "text");
  scratch.write("empty", "");
  scratch.write("tga", std::string("\0\0\2", 3) + std::string(60, '\0'));
  fs::copy(scratch.path() / "photo", scratch.path() / "photo.heic");
  fs::create_symlink("photo", scratch.path() / "link");
  EXPECT_EQ(listed(scratch.path()), (Names{"a.jpg?w=200", "img.0001", "link", "photo"}));
  EXPECT_EQ(list_images(scratch.path()).skipped.text(),
            "skipped 4 files: 3 of no known format, 1 .heic (not supported)");
}

TEST(Folder, HiddenFilesAndThoseOfSystemsAreNotImages) {
  const ScratchFolder scratch;
  for (const char* name :
       {"a.jpg", "._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/a.jpg",
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", ".thumbnails/a.jpg", "b/._b.jpg", "b/b.jpg"}) {
    scratch.write(".set/" + std::string(name), "x");
  }
  const ImageList images = list_images(scratch.path() / ".set");
  EXPECT_EQ(names_of(images), (Names{"a.jpg", "b/b.jpg"}));
  EXPECT_EQ(images.skipped.text(),
            "skipped 5 files: 3 hidden, 1 Thumbs.db, 1 desktop.ini; 3 folders: 1 @eaDir, 1 "
            "__MACOSX, 1 hidden");
}

TEST(Folder, EntersEveryFolderOnce) {
  const ScratchFolder scratch;
  scratch.write("set/class/1.jpg", "x");
  scratch.write("set/z/3.jpg", "x");
  scratch.write("elsewhere/2.jpg", "x");
  const auto set = scratch.path() / "set";
  fs::create_directory_symlink(scratch.path() / "elsewhere", set / "linked");
  fs::create_directory_symlink(scratch.path() / "elsewhere", set / "linked again");
  fs::create_directory_symlink(set, set / "class" / "up");
  fs::create_directory_symlink(set / "z", set / "class" / "y");
  fs::create_directory_symlink(scratch.path(), scratch.path() / "elsewhere" / "all");
  fs::create_symlink("class/1.jpg", set / "same.jpg");
  fs::create_symlink("gone.jpg", set / "dangling.jpg");
  fs::create_symlink("itself.jpg", set / "itself.jpg");
  const ImageList images = list_images(set);
  EXPECT_EQ(names_of(images),
            (Names{"class/1.jpg", "class/y/3.jpg", "linked again/2.jpg", "same.jpg"}));
  EXPECT_EQ(images.skipped.text(),
            "skipped 2 files: 2 linked to nothing; 5 folders: 5 entered by another path");
}

TEST(Folder, LeavesOutWhatIsExcluded) {
  const ScratchFolder scratch;
  for (const char* name : {"a/x.jpg", "a/thumb_x.jpg", "old/x.jpg", "b/old/x.jpg", "b/y.png"}) {
    scratch.write(name, "x");
  }
  const ImageList images = list_images(scratch.path(), {.exclude = {"thumb_*", "old"}});
  EXPECT_EQ(names_of(images), (Names{"a/x.jpg", "b/y.png"}));
  EXPECT_EQ(images.skipped.text(), "skipped 1 file: 1 excluded; 2 folders: 2 excluded");
  EXPECT_EQ(listed(scratch.path(), {.exclude = {"b/*", "?/x.jpg"}}),
            (Names{"a/thumb_x.jpg", "old/x.jpg"}));
}

TEST(Folder, LeavesOutWhatTheRunWritesByWhateverPath) {
  const ScratchFolder scratch;
  for (const char* name : {"set/a.jpg", "set/out/b.jpg", "set/views.png", "set/x/views.png"}) {
    scratch.write(name, "x");
  }
  const fs::path set = scratch.path() / "set";
  fs::create_directory_symlink(set / "out", scratch.path() / "link");
  fs::create_symlink(set / "views.png", set / "decoration.png");
  for (const fs::path& out : {set / "out", set / "x/../out/.", scratch.path() / "link"}) {
    EXPECT_EQ(listed(set, {.written = {out, set / "views.png", set / "missing"}}),
              (Names{"a.jpg", "x/views.png"}))
        << out;
  }
  EXPECT_EQ(listed(set, {.written = {set, set / "views.png"}}),
            (Names{"a.jpg", "out/b.jpg", "x/views.png"}))
      << "the data folder itself is searched";
  fs::create_directory_symlink(scratch.path() / "set", set / "x" / "up");
  EXPECT_EQ(listed(set / "x", {.written = {set}}), (Names{"views.png"}));
}

TEST(Folder, ThePictureOfAnEarlierRunIsNotAnImage) {
  const ScratchFolder scratch;
  for (const char* name : {"run/views.png", "run/metrics.jsonl", "run/current.safetensors",
                           "run/photo.png", "photos/views.png"}) {
    scratch.write(name, "x");
  }
  const ImageList images = list_images(scratch.path());
  EXPECT_EQ(names_of(images), (Names{"photos/views.png", "run/photo.png"}));
  EXPECT_EQ(images.skipped.files().at("written by a run"), 1);
}

// Until the end of its scope, this process may do no more than any user.
class AnyUser {
 public:
  AnyUser() {
    if (geteuid() == 0) changed_ = seteuid(65534) == 0;
  }
  ~AnyUser() {
    if (changed_ && seteuid(0) != 0) std::abort();
  }

 private:
  bool changed_ = false;
};

TEST(Folder, SkipsAndNamesFoldersThatMayNotBeEntered) {
  const ScratchFolder scratch;
  scratch.write("a.jpg", "x");
  scratch.write("lost+found/b.jpg", "x");
  scratch.write("c/listed only/d.jpg", "x");
  fs::permissions(scratch.path(), fs::perms(0755));
  fs::permissions(scratch.path() / "lost+found", fs::perms(0));
  fs::permissions(scratch.path() / "c/listed only", fs::perms(0444));
  {
    const AnyUser any_user;
    const ImageList images = list_images(scratch.path());
    EXPECT_EQ(names_of(images), (Names{"a.jpg"}));
    EXPECT_EQ(images.skipped.text(),
              "skipped 2 folders: 2 without permission (c/listed only, lost+found)");
    EXPECT_NE(test_support::error_of([&] {
                list_images(scratch.path() / "lost+found");
              }).find("lost+found\": Permission denied"),
              std::string::npos);
  }
  for (const char* name : {"lost+found", "c/listed only"}) {
    fs::permissions(scratch.path() / name, fs::perms(0755));
  }
}

TEST(Folder, SaysWhatIsMissing) {
  const ScratchFolder scratch;
  scratch.write("notes.txt", "x");
  const auto message = [](const fs::path& path) {
    return test_support::error_of([&] { list_images(path); });
  };
  EXPECT_NE(message(scratch.path() / "none").find("does not exist"), std::string::npos);
  EXPECT_NE(message(scratch.path() / "notes.txt").find("not a folder"), std::string::npos);
  EXPECT_NE(message(scratch.path()).find("no JPEG, PNG"), std::string::npos);
  EXPECT_NE(message(scratch.path()).find("skipped 1 file: 1 .txt"), std::string::npos);
  EXPECT_NE(message(scratch.path() / "a\nb").find("a\\nb"), std::string::npos);
}

}  // namespace
}  // namespace pixpro
