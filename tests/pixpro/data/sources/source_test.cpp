// Folders, zip archives, packed files and the cache all give the same images.
#include "pixpro/data/sources/source.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "engine/error.h"
#include "pixpro/data/sources/packed.h"
#include "pixpro/data/sources/zip_map.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"
#include "tests/support/zip_file.h"

namespace pixpro {
namespace {

using test_support::error_of;
using test_support::write_zip;
using test_support::ZipEntry;

std::string read_text(const Source& source, int64_t i) {
  std::vector<uint8_t> buffer;
  const Bytes bytes = source.read(i, buffer);
  return {bytes.begin(), bytes.end()};
}

// Content of any size, half of it compressible.
std::string content_of(int i) {
  std::string content(static_cast<size_t>(i) * 997, 'a');
  for (size_t k = 0; k < content.size() / 2; ++k) content[k] = static_cast<char>(k * k + k / 7);
  return content;
}

class SourceTest : public testing::Test {
 protected:
  void write_archive(int count) const {
    std::vector<ZipEntry> entries;
    std::string map;
    for (int i = 0; i < count; ++i) {
      const std::string name = "n0" + std::to_string(i % 3) + "/" + std::to_string(i) + ".JPEG";
      entries.push_back({name, content_of(i), i % 2 == 0 ? ZIP_CM_STORE : ZIP_CM_DEFLATE});
      map += name + "\t" + std::to_string(i % 3) + "\n";
    }
    write_zip(path("train.zip"), entries);
    scratch_.write("train_map.txt", map);
  }
  std::filesystem::path path(const std::string& name) const { return scratch_.path() / name; }

  ScratchFolder scratch_;
};

TEST_F(SourceTest, FolderReadsItsFiles) {
  scratch_.write("b.jpg", "second");
  scratch_.write("a/x.png", "first");
  const auto source = open_source(scratch_.path(), false);
  ASSERT_EQ(source->size(), 2);
  EXPECT_EQ(source->name(0), path("a/x.png").string());
  EXPECT_EQ(read_text(*source, 0), "first");
  EXPECT_EQ(read_text(*source, 1), "second");
  std::filesystem::remove(path("b.jpg"));
  EXPECT_EQ(error_of([&] { read_text(*source, 1); }), "cannot open it: No such file or directory");
}

TEST_F(SourceTest, ZipGivesItsEntriesInTheOrderOfTheMap) {
  write_archive(20);
  const auto source = open_source(scratch_.path(), true);
  ASSERT_EQ(source->size(), 20);
  EXPECT_EQ(source->name(4), path("train.zip").string() + "@/n01/4.JPEG");
  for (int i = 19; i >= 0; --i) EXPECT_EQ(read_text(*source, i), content_of(i));
}

TEST_F(SourceTest, ZipServesManyThreads) {
  write_archive(30);
  const auto source = open_zip(scratch_.path());
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < 60; ++k) {
        const int i = (k * 7 + t) % 30;
        wrong += read_text(*source, i) != content_of(i);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST_F(SourceTest, ZipTellsWhatIsMissingOrDamaged) {
  EXPECT_NE(error_of([&] { open_zip(scratch_.path()); }).find("train_map.txt\": cannot open"),
            std::string::npos);
  scratch_.write("train_map.txt", "n00/0.JPEG\t0\nn00/gone.JPEG\t0\nn02/2.JPEG\t0\n");
  EXPECT_NE(error_of([&] { open_zip(scratch_.path()); }).find("train.zip\": No such file"),
            std::string::npos);
  scratch_.write("train.zip", "this is no archive");
  EXPECT_NE(error_of([&] { open_zip(scratch_.path()); }).find("Not a zip archive"),
            std::string::npos);
  std::filesystem::remove(path("train.zip"));
  const std::string noise = content_of(40);
  write_zip(path("train.zip"), {{"n00/0.JPEG", noise, ZIP_CM_STORE}, {"n02/2.JPEG", "x"}});
  std::string bytes;
  {
    std::ifstream in(path("train.zip"), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  bytes[bytes.find(noise) + 100] ^= 1;
  scratch_.write("train.zip", bytes);
  const auto source = open_zip(scratch_.path());
  EXPECT_NE(error_of([&] { read_text(*source, 0); }).find("CRC"), std::string::npos);
  EXPECT_EQ(error_of([&] { read_text(*source, 1); }), "zip: the archive has no entry of this name");
  EXPECT_EQ(read_text(*source, 2), "x");
}

TEST_F(SourceTest, ZipBombsStopAtALimit) {
  // 300 MB of zeros in 300 kB: more than an image may have.
  const std::string zeros(300 << 20, '\0');
  write_zip(path("train.zip"), {{"a.png", zeros}, {"b.png", zeros.substr(0, 1 << 20)}});
  scratch_.write("train_map.txt", "a.png\t0\nb.png\t0\n");
  EXPECT_LT(std::filesystem::file_size(path("train.zip")), 1u << 20);
  const auto source = open_zip(scratch_.path());
  EXPECT_NE(error_of([&] { read_text(*source, 0); }).find("claims 314572800 bytes, more than"),
            std::string::npos);
  EXPECT_EQ(read_text(*source, 1).size(), 1u << 20);
  // One entry claims less than it unpacks to, the other more than deflate can pack.
  const uint32_t honest = 1 << 20;
  for (const auto& [claim, words] : {std::pair<uint32_t, std::string>{100, "more than the 100"},
                                     {200u << 20, "cannot unpack to"}}) {
    std::ifstream in(path("train.zip"), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    const std::string before(reinterpret_cast<const char*>(&honest), 4);
    const std::string after(reinterpret_cast<const char*>(&claim), 4);
    for (size_t at = bytes.find(before); at != std::string::npos; at = bytes.find(before, at + 4)) {
      bytes.replace(at, 4, after);
    }
    std::filesystem::create_directory(path("lie"));
    scratch_.write("lie/train.zip", bytes);
    scratch_.write("lie/train_map.txt", "b.png\t0\n");
    const std::string found = error_of([&] { read_text(*open_zip(path("lie")), 0); });
    EXPECT_NE(found.find(words), std::string::npos) << found;
  }
}

std::vector<std::string> paths_in(std::string_view map) {
  const StringList list = parse_map(map);
  std::vector<std::string> paths;
  for (int64_t i = 0; i < list.size(); ++i) paths.emplace_back(list[i]);
  return paths;
}

using Paths = std::vector<std::string>;

TEST(ZipMap, ReadsPathsAsPublished) {
  EXPECT_EQ(paths_in("n01/a.JPEG\t0\r\n\n/n02/b c.JPEG\t17\textra\nlast.png\t999"),
            (Paths{"n01/a.JPEG", "n02/b c.JPEG", "last.png"}));
}

TEST(ZipMap, ReadsWhatEditorsAndShellsWrite) {
  EXPECT_EQ(paths_in("\xEF\xBB\xBF"
                     "a.png\t0\r\nb.png\t1\r\n"),
            (Paths{"a.png", "b.png"}));
  EXPECT_EQ(paths_in("./n/a.png\nb c.png\n\n  \t\nd.png\t\n"),
            (Paths{"n/a.png", "b c.png", "d.png"}));
  EXPECT_NE(error_of([] {
              parse_map(
                  {"\xFF\xFE"
                   "a\0\n\0",
                   6});
            }).find("UTF-16"),
            std::string::npos);
}

TEST(ZipMap, NamesTheLineThatIsWrong) {
  for (const char* line : {"\t0", "a.png\t-1", "a.png\tcat", "a.png\t1234567890", "///\t1", "./"}) {
    const std::string found = error_of([&] { parse_map("ok.png\t0\n" + std::string(line)); });
    EXPECT_NE(found.find("line 2: expected a path, or a path, a tab and a class number"),
              std::string::npos)
        << line << " gave " << found;
  }
  EXPECT_NE(error_of([] { parse_map("\n\n"); }).find("found none"), std::string::npos);
  EXPECT_LT(error_of([] { parse_map(std::string(100000, '\1')); }).size(), 400u);
}

TEST_F(SourceTest, ZipSkipsWhatIsNoImageByItsName) {
  write_zip(path("train.zip"),
            {{"a/1.bin", "one"}, {"a/2.jpg", "two"}, {"__MACOSX/a/._2.jpg", "x"}});
  scratch_.write("train_map.txt", "a/1.bin\t0\na/2.jpg\t0\n__MACOSX/a/._2.jpg\t0\na/._2.jpg\t0\n");
  const auto source = open_source(scratch_.path(), true);
  ASSERT_EQ(source->size(), 2);
  EXPECT_EQ(source->path(0), "a/1.bin") << "the list decides, not the ending";
  EXPECT_EQ(source->bytes(1), 3);
  EXPECT_EQ(source->skipped().text(), "skipped 2 files: 1 __MACOSX, 1 hidden");
  EXPECT_EQ(open_zip(scratch_.path(), {.exclude = {"*.bin"}})->size(), 1);
  EXPECT_NE(error_of([&] {
              open_zip(scratch_.path(), {.exclude = {"a"}});
            }).find("no image of the list is left; skipped 4 files: 2 excluded"),
            std::string::npos);
}

TEST_F(SourceTest, ZipWithoutAnyFileOfItsListIsRefused) {
  write_zip(path("train.zip"), {{"a/1.jpg", "one"}});
  scratch_.write("train_map.txt", "1.jpg 0\n2.jpg 0\n");
  EXPECT_NE(error_of([&] {
              open_zip(scratch_.path());
            }).find("has none of the 2 files that the list names; the first is \"1.jpg 0\""),
            std::string::npos);
}

TEST_F(SourceTest, NamesAreShownWithoutControlCharacters) {
  const std::string hostile = "a\n\x1b[2J\xff.jpg", shown = "a\\n\\x1b[2J\\xff.jpg";
  scratch_.write("set/" + hostile, "content");
  const auto folder = open_folder(path("set"));
  EXPECT_EQ(folder->name(0), path("set/" + shown).string());
  EXPECT_EQ(folder->path(0), hostile);
  EXPECT_EQ(read_text(*folder, 0), "content");
  PackWriter writer(path("x.pack"));
  std::vector<uint8_t> buffer;
  writer.add(folder->path(0), folder->read(0, buffer));
  writer.commit();
  EXPECT_EQ(open_packed(path("x.pack"))->name(0), path("x.pack").string() + "@/" + shown);
}

TEST_F(SourceTest, ImagesAreExcludedFromAPackedFileWhenItIsPacked) {
  PackWriter writer(path("x.pack"));
  writer.add("a.jpg", std::array<uint8_t, 1>{1});
  writer.commit();
  EXPECT_EQ(open_source(path("x.pack"), false)->skipped().text(), "");
  EXPECT_NE(error_of([&] {
              open_source(path("x.pack"), false, {.exclude = {"a*"}});
            }).find("cannot be excluded from a packed file"),
            std::string::npos);
}

TEST_F(SourceTest, PackedFilesReturnWhatWasAdded) {
  PackWriter writer(path("all.pack"));
  for (int i = 0; i < 9; ++i) {
    const std::string content = content_of(i);
    writer.add("n/" + std::to_string(i) + ".jpg",
               {reinterpret_cast<const uint8_t*>(content.data()), content.size()});
  }
  EXPECT_FALSE(std::filesystem::exists(path("all.pack"))) << "only once it is complete";
  writer.commit();
  const auto source = open_source(path("all.pack"), false);
  ASSERT_EQ(source->size(), 9);
  EXPECT_EQ(source->name(3), path("all.pack").string() + "@/n/3.jpg");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(read_text(*source, i), content_of(i));
}

// A packed file of two images in memory.
std::vector<uint8_t> small_pack(const ScratchFolder& scratch) {
  PackWriter writer(scratch.path() / "small");
  const std::array<uint8_t, 5> content{1, 2, 3, 4, 5};
  writer.add("a", content);
  writer.add("bc", Bytes(content).first(2));
  writer.commit();
  std::ifstream in(scratch.path() / "small", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

PackIndex index_of(Bytes file) {
  return PackIndex(static_cast<int64_t>(file.size()),
                   [&](int64_t offset, std::span<std::byte> target) {
                     std::memcpy(target.data(), file.data() + offset, target.size());
                   });
}

TEST_F(SourceTest, PackedFilesThatLieAreRefused) {
  const std::vector<uint8_t> whole = small_pack(scratch_);
  EXPECT_EQ(index_of(whole).name(1), "bc");
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(index_of(Bytes(whole).first(size)), engine::Error) << size;
  }
  // The numbers: ends of images, ends of names, count.
  const size_t numbers = whole.size() - 16 - 5 * 8;
  for (size_t place = 0; place < 5; ++place) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{1} << 32, UINT64_MAX, UINT64_MAX / 2}) {
      if (place == 2 && value == 0) continue;  // the first name may be empty
      std::vector<uint8_t> bytes = whole;
      std::memcpy(bytes.data() + numbers + 8 * place, &value, 8);
      EXPECT_THROW(index_of(bytes), engine::Error) << place << " " << value;
    }
  }
  EXPECT_NE(error_of([&] { open_packed(scratch_.write("x", "text")); }).find("pixpro pack"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_packed(path("none")); }).find("none\": cannot open"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_packed(scratch_.write("empty", "")); }).find("pixpro pack"),
            std::string::npos);
}

TEST_F(SourceTest, CacheReadsOnlyOnce) {
  for (int i = 0; i < 4; ++i) scratch_.write(std::to_string(i) + ".png", content_of(i + 1));
  const auto none = with_cache(open_folder(scratch_.path()), CacheMode::no);
  const auto part = with_cache(open_folder(scratch_.path()), CacheMode::part, 1, 2);
  const auto full = with_cache(open_folder(scratch_.path()), CacheMode::full, 1, 2);
  for (const auto* source : {&none, &part, &full}) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(read_text(**source, i), content_of(i + 1));
  }
  for (int i = 0; i < 4; ++i) std::filesystem::remove(path(std::to_string(i) + ".png"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(read_text(*full, i), content_of(i + 1));
    EXPECT_THROW(read_text(*none, i), engine::Error);
    if (i % 2 == 1) {
      EXPECT_EQ(read_text(*part, i), content_of(i + 1));
    } else {
      EXPECT_THROW(read_text(*part, i), engine::Error);
    }
  }
}

}  // namespace
}  // namespace pixpro
