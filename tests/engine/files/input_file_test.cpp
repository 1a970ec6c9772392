#include "engine/files/input_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "tests/support/error_of.h"
#include "tests/support/temp_dir.h"

namespace engine {
namespace {

// The errno of the ReadError that a call throws; 0 for another Error, -1 for none.
template <class Call>
int code_of(const Call& call) {
  try {
    call();
    return -1;
  } catch (const ReadError& error) {
    return error.code();
  } catch (const Error&) {
    return 0;
  }
}

TEST(InputFile, ReadsAnyPart) {
  const test_support::TempDir dir;
  const auto path = dir.path() / "file";
  std::ofstream(path) << "0123456789";
  const InputFile file(path);
  EXPECT_EQ(file.size(), 10);
  std::string part(4, ' ');
  file.read(3, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(part, "3456");
  EXPECT_EQ(code_of([&] { file.read(8, std::as_writable_bytes(std::span(part))); }), EIO);
  std::filesystem::resize_file(path, 2);
  EXPECT_EQ(test_support::error_of([&] { file.read(0, std::as_writable_bytes(std::span(part))); }),
            "it ends after 2 bytes: it was shortened while being read");
  std::ofstream(path, std::ios::app) << "something longer";
  EXPECT_EQ(test_support::error_of([&] { file.read(0, std::as_writable_bytes(std::span(part))); }),
            "it had 10 bytes and now has 18");
}

TEST(InputFile, TellsWhatMayPassFromWhatNeverWill) {
  const test_support::TempDir dir;
  const auto open = [&](const std::string& name) {
    return code_of([&] { InputFile file(dir.path() / name); });
  };
  EXPECT_EQ(open("missing"), ENOENT);
  EXPECT_EQ(open("."), 0);
  ASSERT_EQ(mkfifo((dir.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(open("pipe"), 0);
  std::filesystem::create_symlink("loop", dir.path() / "loop");
  EXPECT_EQ(open("loop"), 0);
  EXPECT_EQ(open(std::string(300, 'x')), 0);
}

}  // namespace
}  // namespace engine
