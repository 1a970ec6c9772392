#include "engine/files/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <thread>
#include <vector>

#include "engine/files/process.h"
#include "tests/support/error_of.h"
#include "tests/support/temp_dir.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using test_support::error_of;

class AtomicFileTest : public testing::Test {
 protected:
  std::string content() const {
    std::ifstream in(target_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // The names in the folder, to see whether anything is left behind.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  template <class F>
  void expect_error(F f, const std::string& words) const {
    const std::string message = error_of(f);
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }

  test_support::TempDir dir_;
  fs::path target_ = dir_.path() / "target";
};

TEST_F(AtomicFileTest, WritesAndReplaces) {
  write_file_atomically(target_, "first, the longer one");
  EXPECT_EQ(content(), "first, the longer one");
  write_file_atomically(target_, std::as_bytes(std::span("two", 3)));
  EXPECT_EQ(content(), "two");
  write_file_atomically(target_, "");
  EXPECT_EQ(content(), "");
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

TEST_F(AtomicFileTest, ShowsNothingBeforeItIsCommitted) {
  write_file_atomically(target_, "old");
  AtomicFile file(target_);
  file.write(std::as_bytes(std::span("ne", 2)));
  EXPECT_EQ(content(), "old");
  file.write(std::as_bytes(std::span("w", 1)));
  file.commit();
  EXPECT_EQ(content(), "new");
}

TEST_F(AtomicFileTest, LeavesNothingWhenItIsAbandoned) {
  write_file_atomically(target_, "old");
  {
    AtomicFile file(target_);
    file.write(std::as_bytes(std::span("half", 4)));
    EXPECT_EQ(names().size(), 2U);
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

// A limit on the size of files acts as a full disk: write() fails in the middle.
TEST_F(AtomicFileTest, KeepsTheOldFileWhenTheDiskIsFull) {
  write_file_atomically(target_, "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message =
      error_of([&] { write_file_atomically(target_, std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(message, "cannot write '" + target_.string() + "': File too large");
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

TEST_F(AtomicFileTest, ReplacesNothingButRegularFiles) {
  fs::create_directory(target_);
  expect_error([&] { write_file_atomically(target_, "x"); }, "is a folder");
  expect_error([&] { write_file_atomically("/dev/null", "x"); }, "'/dev/null'");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  const fs::path link = dir_.path() / "link";
  fs::create_symlink("/dev/null", link);
  expect_error([&] { write_file_atomically(link, "x"); }, "not a regular file");
  EXPECT_EQ(names().size(), 2U);
}

TEST_F(AtomicFileTest, NamesAFolderThatIsNotThere) {
  const fs::path path = dir_.path() / "none" / "file";
  expect_error([&] { write_file_atomically(path, "x"); }, path.string());
  expect_error([&] { write_file_atomically("", "x"); }, "cannot write ''");
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFileTest, TakesTheLongestNames) {
  target_ = dir_.path() / std::string(255, 'n');
  write_file_atomically(target_, "x");
  EXPECT_EQ(content(), "x");
  EXPECT_EQ(names().size(), 1U);
}

// The temporary files of a process that was killed, of one on another machine, and of this one.
TEST_F(AtomicFileTest, LeftoversOfKilledProcessesAreRemoved) {
  ProcessId dead = this_process(), elsewhere = dead;
  dead.started -= 1;
  elsewhere.system ^= 1;
  const auto leave = [&](const std::string& target, const ProcessId& process) {
    const fs::path path = dir_.path() / ("." + target + "." + text_of(process) + ".0.tmp");
    std::ofstream(path) << "half";
    return path;
  };
  const fs::path of_dead = leave("target", dead), of_elsewhere = leave("target", elsewhere);
  const fs::path of_another = leave("other", dead);
  std::ofstream(dir_.path() / ".target.backup.tmp") << "a person's";
  AtomicFile own(target_);

  remove_leftovers(target_, std::chrono::hours(1));
  EXPECT_FALSE(fs::exists(of_dead));
  EXPECT_EQ(names().size(), 4U)
      << "this process's own, elsewhere's, the other target's, a person's";

  fs::last_write_time(of_elsewhere, fs::file_time_type::clock::now() - std::chrono::hours(2));
  remove_leftovers(target_, std::chrono::hours(1));
  EXPECT_FALSE(fs::exists(of_elsewhere));
  EXPECT_TRUE(fs::exists(of_another));
  EXPECT_EQ(names().size(), 3U);
  own.commit();
  remove_leftovers(dir_.path() / "none" / "target", std::chrono::hours(1));  // nothing to do
}

TEST_F(AtomicFileTest, IsAbandonedWithAllTemporaries) {
  write_file_atomically(target_, "old");
  AtomicFile file(target_);
  const Temporary folder(dir_.path() / "folder");
  fs::create_directory(folder.path());
  const Temporary inner(folder.path() / "inner");
  std::ofstream(inner.path()) << "x";
  EXPECT_EQ(names().size(), 3U);
  remove_temporaries();
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
  EXPECT_EQ(content(), "old");
}

TEST_F(AtomicFileTest, HasTheUsualPermissions) {
  const mode_t mask = umask(022);
  write_file_atomically(target_, "x");
  umask(mask);
  EXPECT_EQ(fs::status(target_).permissions(), fs::perms{0644});
}

TEST_F(AtomicFileTest, WritersAtTheSameTimeLeaveOneWholeFile) {
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c'}) {
    writers.emplace_back([this, letter] {
      for (int i = 0; i < 10; ++i) write_file_atomically(target_, std::string(20'000, letter));
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string found = content();
  ASSERT_EQ(found.size(), 20'000U);
  EXPECT_EQ(found, std::string(20'000, found[0]));
  EXPECT_EQ(names(), std::vector<std::string>{"target"});
}

}  // namespace
}  // namespace engine
