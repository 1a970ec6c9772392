// Storage that fails under a run is a ReadError; what it then gives again is read again.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <functional>

#include "pixpro/data/sources/file_bytes.h"
#include "pixpro/data/sources/packed.h"
#include "pixpro/data/sources/source.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"
#include "tests/support/zip_file.h"

namespace pixpro {
namespace {

namespace fs = std::filesystem;

enum class Failure { none, read_error, lost_file, other };

Failure failure_of(const std::function<void()>& call) {
  try {
    call();
    return Failure::none;
  } catch (const LostFile&) {
    return Failure::lost_file;
  } catch (const engine::ReadError&) {
    return Failure::read_error;
  } catch (const engine::Error&) {
    return Failure::other;
  }
}

Failure failure_of(const Source& source, int64_t i) {
  std::vector<uint8_t> buffer;
  return failure_of([&] { source.read(i, buffer); });
}

std::string read_text(const Source& source, int64_t i) {
  std::vector<uint8_t> buffer;
  const Bytes bytes = source.read(i, buffer);
  return {bytes.begin(), bytes.end()};
}

class FailingStorage : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return scratch_.path() / name; }
  ScratchFolder scratch_;
};

TEST_F(FailingStorage, TellsAFileThatIsGoneFromAFolderThatIsAway) {
  scratch_.write("d/a/1.png", "one");
  scratch_.write("d/a/2.png", "two");
  scratch_.write("d/b/3.png", "three");
  const auto source = open_folder(path("d"));
  fs::rename(path("d"), path("away"));
  EXPECT_EQ(failure_of(*source, 0), Failure::read_error);
  fs::create_directories(path("d/a"));  // as a share that is not mounted
  EXPECT_EQ(failure_of(*source, 0), Failure::read_error);
  fs::remove_all(path("d"));
  fs::rename(path("away"), path("d"));
  EXPECT_EQ(read_text(*source, 0), "one");
  fs::remove(path("d/a/1.png"));
  EXPECT_EQ(failure_of(*source, 0), Failure::lost_file);
  EXPECT_EQ(failure_of(*source, 1), Failure::none);
}

TEST_F(FailingStorage, FollowsLinksToSeeWhatIsGone) {
  scratch_.write("share/1.png", "one");
  scratch_.write("share/2.png", "two");
  fs::create_directory(path("d"));
  fs::create_symlink("../share/1.png", path("d/1.png"));
  fs::create_symlink(path("share/2.png"), path("d/2.png"));
  const auto source = open_folder(path("d"));
  fs::rename(path("share"), path("away"));
  EXPECT_EQ(failure_of(*source, 0), Failure::read_error);
  fs::rename(path("away"), path("share"));
  fs::remove(path("share/2.png"));
  EXPECT_EQ(failure_of(*source, 0), Failure::none);
  EXPECT_EQ(failure_of(*source, 1), Failure::lost_file);
}

TEST_F(FailingStorage, WhatCanNeverBeReadIsNoReadError) {
  const fs::path pipe = path("pipe.png");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("itself.png", path("itself.png"));
  std::vector<uint8_t> bytes;
  for (const char* name : {"pipe.png", "itself.png", "."}) {
    EXPECT_EQ(failure_of([&] { read_file(path(name), bytes); }), Failure::other) << name;
  }
}

TEST_F(FailingStorage, TooManyOpenFilesAreAReadError) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UndefinedBehaviorSanitizer opens descriptors itself to check types";
#endif
  scratch_.write("1.png", "one");
  const auto source = open_folder(scratch_.path());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const Failure failure = failure_of(*source, 0);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(failure, Failure::read_error);
  EXPECT_EQ(read_text(*source, 0), "one");
}

// A packed file of "one" and "second".
void write_pack(const fs::path& path) {
  PackWriter writer(path);
  for (const std::string text : {"one", "second"}) {
    writer.add(text, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  writer.commit();
}

TEST_F(FailingStorage, APackedFileMayShrinkAndComeBack) {
  write_pack(path("run.pack"));
  fs::copy(path("run.pack"), path("copy"));
  const auto source = open_packed(path("run.pack"));
  fs::resize_file(path("run.pack"), 0);
  EXPECT_EQ(failure_of(*source, 1), Failure::read_error);
  EXPECT_EQ(source->name(1), path("run.pack").string() + "@/second");
  scratch_.write("run.pack", std::string(60, 'x'));
  EXPECT_EQ(failure_of(*source, 1), Failure::read_error);
  fs::remove(path("run.pack"));
  EXPECT_EQ(failure_of(*source, 1), Failure::read_error);
  fs::rename(path("copy"), path("run.pack"));  // another file to the system
  EXPECT_EQ(read_text(*source, 1), "second");
}

TEST_F(FailingStorage, AZipArchiveMayShrinkAndComeBack) {
  const std::string noise = [] {
    std::string text;
    for (int64_t i = 0; i < 100'000; ++i) text += static_cast<char>(i * i / 7 + i % 13);
    return text;
  }();
  test_support::write_zip(path("train.zip"),
                          {{"a.png", noise, ZIP_CM_STORE}, {"b.png", noise, ZIP_CM_DEFLATE}});
  scratch_.write("train_map.txt", "a.png\t0\nb.png\t0\n");
  fs::copy(path("train.zip"), path("copy"));
  const auto source = open_zip(scratch_.path());
  EXPECT_EQ(read_text(*source, 1), noise);
  fs::resize_file(path("train.zip"), 5'000);
  for (const int64_t i : {0, 1, 0}) EXPECT_EQ(failure_of(*source, i), Failure::read_error) << i;
  fs::remove(path("train.zip"));
  EXPECT_EQ(failure_of(*source, 0), Failure::read_error);
  fs::rename(path("copy"), path("train.zip"));
  EXPECT_EQ(read_text(*source, 0), noise);
  EXPECT_EQ(read_text(*source, 1), noise);
}

// Twenty images of 20 MB.
class LargeImages : public Source {
 public:
  int64_t size() const override { return 20; }
  std::string name(int64_t i) const override { return std::to_string(i); }
  Bytes read(int64_t i, std::vector<uint8_t>& buffer) const override {
    buffer.assign(20'000'000, static_cast<uint8_t>(i));
    return buffer;
  }
};

// Ends the process with status 0 if a cache that has too little memory for all images still gives
// every image, twice.
void read_with_little_memory() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t most = pages * 4096 + 300'000'000;
  const rlimit limit{most, most};
  setrlimit(RLIMIT_AS, &limit);
  const auto cached = with_cache(std::make_unique<LargeImages>(), CacheMode::full);
  std::vector<uint8_t> buffer;
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < 20; ++i) {
      const Bytes bytes = cached->read(i, buffer);
      if (bytes.size() != 20'000'000 || bytes.back() != i) std::_Exit(1);
    }
  }
  std::_Exit(0);
}

TEST_F(FailingStorage, TheCacheGivesWayIfMemoryIsShort) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than is given";
#endif
  EXPECT_EXIT(read_with_little_memory(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace pixpro
