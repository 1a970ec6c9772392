// Files that are damaged, make false claims or are not tensor files: each gives one clear line and
// none a crash.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "engine/files/tensor_file.h"
#include "engine/random.h"
#include "engine/tensor_ops.h"
#include "tests/support/temp_dir.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

class HostileTensorFile : public testing::Test {
 protected:
  void write(const std::string& bytes) const {
    fs::remove(path_);  // overwriting would wait for the disk each time
    std::ofstream(path_, std::ios::binary) << bytes;
  }

  // The error of reading, without the file's name before it; "" if there is none.
  std::string complaint() const {
    try {
      read_tensor_file(path_);
    } catch (const Error& error) {
      const std::string message = error.what(), start = "'" + path_.string() + "': ";
      EXPECT_TRUE(message.starts_with(start)) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 800U);
      return message.substr(std::min(message.size(), start.size()));
    }
    return "";
  }

  void expect_complaint(const std::string& bytes, const std::string& words) const {
    write(bytes);
    const std::string found = complaint();
    EXPECT_NE(found.find(words), std::string::npos)
        << "expected '" << words << "', found '" << found << "'";
  }

  test_support::TempDir dir_;
  fs::path path_ = dir_.path() / "t.safetensors";
};

std::string bytes_of(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 255);
  return bytes;
}

// A file with this header and this many bytes of data.
std::string file_of(const std::string& header, size_t data_bytes = 0) {
  return bytes_of(header.size()) + header + std::string(data_bytes, '\1');
}

// A file with one tensor "w" that makes these claims, and this many bytes of data.
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets,
                  size_t data_bytes = 16) {
  return file_of(
      R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
      data_bytes);
}

TEST_F(HostileTensorFile, LengthThatCannotBe) {
  expect_complaint("", "only 0 bytes");
  expect_complaint("1234567", "only 7 bytes");
  expect_complaint(bytes_of(0), "a header of 0 bytes");
  expect_complaint(bytes_of(3) + "{}", "cut short");
  expect_complaint(bytes_of(100'000'001) + "{}", "a header of 100000001 bytes");
  expect_complaint(bytes_of(UINT64_MAX) + "{}", "a header of 18446744073709551615 bytes");
  expect_complaint(bytes_of(uint64_t{1} << 63) + "{}", "not a safetensors file");
  expect_complaint("PK\3\4 this is some other kind of file", "not a safetensors file");
}

TEST_F(HostileTensorFile, HeaderThatIsNotJson) {
  expect_complaint(file_of("{\"w\":"), "not JSON");
  expect_complaint(file_of("{}}"), "not JSON");
  expect_complaint(file_of("{} {}"), "not JSON");
  expect_complaint(file_of("[1,2]"), "does not begin with '{'");
  expect_complaint(file_of(" {}"), "does not begin with '{'");
  expect_complaint(file_of(std::string("{}\0}", 4)), "zero byte");
  expect_complaint(file_of("{\"\xff\":1}"), "not JSON");
  expect_complaint(file_of("{\"" + std::string(10'000, 'x') + "\n"), "not JSON");
  expect_complaint(file_of("{\"w\":" + std::string(50'000, '[')), "nested too deeply");
}

TEST_F(HostileTensorFile, KeyGivenTwice) {
  const std::string one = R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_complaint(file_of("{" + one + "," + one + "}", 1), "the key 'w' twice");
  expect_complaint(
      file_of(R"({"w":{"dtype":"U8","shape":[1],"shape":[2],"data_offsets":[0,1]}})", 1),
      "the key 'shape' twice");
  expect_complaint(file_of(R"({"__metadata__":{"k":"1","k":"2"}})"), "the key 'k' twice");
}

TEST_F(HostileTensorFile, EntryThatIsNotWhole) {
  expect_complaint(file_of(R"({"w":3})"), "tensor 'w': its entry in the header must be an object");
  expect_complaint(file_of(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4), "its 'dtype'");
  expect_complaint(file_of(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4), "its 'shape'");
  expect_complaint(file_of(R"({"w":{"dtype":"F32","shape":[1]}})", 4), "its 'data_offsets'");
  expect_complaint(entry("32", "[4]", "[0,16]"), "its 'dtype' must be a string");
  expect_complaint(file_of(R"({"__metadata__":{"k":1}})"), "the value of 'k' must be a string");
  expect_complaint(file_of(R"({"__metadata__":[]})"), "__metadata__ must be an object");
}

TEST_F(HostileTensorFile, TypeThatIsUnknown) {
  expect_complaint(entry("\"F8_E4M3\"", "[16]", "[0,16]"),
                   "tensor 'w': unknown dtype 'F8_E4M3', expected one of F32 F64 I64 U8");
  expect_complaint(entry("\"f32\"", "[4]", "[0,16]"), "unknown dtype 'f32'");
  expect_complaint(entry("\"\"", "[4]", "[0,16]"), "unknown dtype ''");
}

TEST_F(HostileTensorFile, ShapeThatCannotBe) {
  expect_complaint(entry("\"F32\"", "[-4]", "[0,16]"), "must not be negative");
  expect_complaint(entry("\"F32\"", "[-2,-2]", "[0,16]"), "must not be negative");
  expect_complaint(entry("\"F32\"", "[1,1,1,1,1,4]", "[0,16]"), "at most 5 extents, found 6");
  expect_complaint(entry("\"F32\"", "[4.0]", "[0,16]"), "must hold integers");
  expect_complaint(entry("\"F32\"", "[\"4\"]", "[0,16]"), "must hold integers");
  expect_complaint(entry("\"F32\"", "[true,4]", "[0,16]"), "must hold integers");
  expect_complaint(entry("\"F32\"", "4", "[0,16]"), "must be an array");
  expect_complaint(entry("\"F32\"", "null", "[0,16]"), "must be an array");
  expect_complaint(entry("\"F32\"", "[18446744073709551615]", "[0,16]"), "below 2^63");
  expect_complaint(entry("\"F32\"", "[99999999999999999999]", "[0,16]"), "below 2^63");
  // Products that overflow to 4 elements or to 0.
  expect_complaint(entry("\"F32\"", "[4611686018427387905,4]", "[0,16]"), "too many elements");
  expect_complaint(entry("\"F32\"", "[4294967296,4294967296]", "[0,0]", 0), "too many elements");
  expect_complaint(entry("\"F32\"", "[9223372036854775807]", "[0,16]"), "too many elements");
  expect_complaint(entry("\"F32\"", "[1000000000000]", "[0,16]"), "needs 4000000000000");
}

TEST_F(HostileTensorFile, OffsetsThatLie) {
  expect_complaint(entry("\"F32\"", "[4]", "[16,0]"), "are not in order");
  expect_complaint(entry("\"F32\"", "[4]", "[-16,0]"), "are not in order");
  expect_complaint(entry("\"F32\"", "[5]", "[0,20]"), "within the file's 16 bytes");
  expect_complaint(entry("\"F32\"", "[4]", "[9223372036854775791,9223372036854775807]"),
                   "within the file's 16 bytes");
  expect_complaint(entry("\"F32\"", "[3]", "[0,16]"), "hold 16 bytes, but F32 [3] needs 12");
  expect_complaint(entry("\"F64\"", "[4]", "[0,16]"), "needs 32");
  expect_complaint(entry("\"F32\"", "[0]", "[0,16]"), "needs 0");
  expect_complaint(entry("\"F32\"", "[4]", "[0,8,16]"), "must be two integers, found 3");
  expect_complaint(entry("\"F32\"", "[4]", "[]"), "must be two integers, found 0");
  expect_complaint(entry("\"F32\"", "[4]", "{}"), "must be an array");
}

TEST_F(HostileTensorFile, BytesOfTwoTensorsOrOfNone) {
  const auto two = [](const std::string& a, const std::string& b) {
    return file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                       R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                   10);
  };
  expect_complaint(two("[0,4]", "[2,6]"), "tensor 'b': its data begin at byte 2 and overlap");
  expect_complaint(two("[0,4]", "[0,4]"), "overlap");
  expect_complaint(two("[6,10]", "[0,4]"), "tensor 'a': there is a gap before its data");
  expect_complaint(two("[1,5]", "[5,9]"), "bytes 0 to 1 belong to no tensor");
  expect_complaint(two("[0,4]", "[4,8]"), "the last 2 bytes belong to no tensor");
  expect_complaint(file_of("{}", 1), "the last 1 bytes belong to no tensor");
}

TEST_F(HostileTensorFile, NamesAreShownOnOneLine) {
  expect_complaint(file_of(R"({"a\n\u001b[31m":3})"), R"(tensor 'a\n\x1b[31m')");
  expect_complaint(file_of("{\"" + std::string(5000, 'x') + "\":3}"), "xxx...'");
}

TEST_F(HostileTensorFile, WhatIsNotAFile) {
  EXPECT_EQ(complaint(), "cannot open it: No such file or directory");
  fs::create_directory(path_);
  EXPECT_EQ(complaint(), "it is a folder, expected a file");
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(complaint(), "it is not a regular file");
}

TEST_F(HostileTensorFile, WhatMayNotBeRead) {
  write(file_of("{}"));
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  const bool root = geteuid() == 0;  // may read everything, unless it becomes another user
  if (root && seteuid(65534) != 0) GTEST_SKIP() << "runs as root and cannot become another user";
  const std::string found = complaint();
  ASSERT_EQ(seteuid(root ? 0 : geteuid()), 0);
  EXPECT_EQ(found, "cannot open it: Permission denied");
}

class DamagedTensorFile : public HostileTensorFile {
 protected:
  void SetUp() override {
    TensorFile file;
    file.metadata["note"] = "text";
    file.tensors = {
        {"a", full({2, 3}, 0.5)}, {"b", full({}, 3.0, DType::f64)}, {"c", zeros({2}, DType::i64)}};
    write_tensor_file(path_, file);
    std::ifstream in(path_, std::ios::binary);
    whole_.assign(std::istreambuf_iterator<char>(in), {});
  }

  std::string whole_;
};

TEST_F(DamagedTensorFile, CutShortAnywhere) {
  EXPECT_EQ(complaint(), "");
  for (size_t size = 0; size < whole_.size(); ++size) {
    write(whole_.substr(0, size));
    EXPECT_NE(complaint(), "") << "cut to " << size << " of " << whole_.size() << " bytes";
  }
  write(whole_ + '\0');
  EXPECT_NE(complaint(), "");
}

// Whatever value a byte takes, the result is an Error or a consistent file.
TEST_F(DamagedTensorFile, ChangedAnywhere) {
  Random random(1);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = whole_;
    const int64_t changes = 1 + random.below(3);
    for (int64_t i = 0; i < changes; ++i) {
      const auto place = static_cast<size_t>(random.below(static_cast<int64_t>(bytes.size())));
      bytes[place] = static_cast<char>(random.below(256));
    }
    write(bytes);
    refused += !complaint().empty();
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace engine
