// Valid tensor files. Others are in hostile_tensor_file_test.cpp.
#include "engine/files/tensor_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/tensor_ops.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/temp_dir.h"

namespace engine {
namespace {

using test_support::error_of;
using test_support::golden;
using test_support::hashed_tensor;

class TensorFileTest : public testing::Test {
 protected:
  TensorFile round_trip(const TensorFile& file) const {
    write_tensor_file(path_, file);
    return read_tensor_file(path_);
  }

  std::string content() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // A file with this header, padded, and this data.
  TensorFile read_made(std::string header, const std::string& data) const {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t length = header.size();
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof(length)) << header << data;
    out.close();
    return read_tensor_file(path_);
  }

  test_support::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "t.safetensors";
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

TEST_F(TensorFileTest, KeepsEveryTypeAndNumberOfAxes) {
  const std::vector<Shape> shapes = {
      {}, {1}, {5}, {0}, {3, 0, 2}, {3, 2}, {2, 3, 2}, {2, 3, 1, 2}, {1, 2, 3, 2, 2}};
  TensorFile file;
  for (const DType dtype : {DType::f32, DType::f64, DType::i64, DType::u8}) {
    for (size_t s = 0; s < shapes.size(); ++s) {
      Tensor t(shapes[s], dtype);
      auto* bytes = static_cast<uint8_t*>(t.raw());  // any bits, including NaNs
      for (int64_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<uint8_t>(255 - 7 * i);
      file.tensors[std::to_string(s) + "." + std::to_string(static_cast<int>(dtype))] = t;
    }
  }
  const TensorFile found = round_trip(file);
  ASSERT_EQ(found.tensors.size(), file.tensors.size());
  for (const auto& [name, t] : file.tensors) {
    EXPECT_TRUE(same_bits(find_tensor(found, name), t)) << name << ": " << t;
  }
}

TEST_F(TensorFileTest, KeepsNamesAndMetadata) {
  TensorFile file;
  file.metadata = {{"arch", "resnet18"}, {"", "a \"quoted\" \\ line\n"}, {"größe", "\t"}};
  file.tensors = {{"", zeros({1})}, {"a \"b\"\n", zeros({2})}, {"größe", zeros({3})}};
  const TensorFile found = round_trip(file);
  EXPECT_EQ(found.metadata, file.metadata);
  EXPECT_EQ(found.source, path_);
  for (const auto& [name, t] : file.tensors) {
    EXPECT_TRUE(same_bits(find_tensor(found, name), t)) << name;
  }
  EXPECT_TRUE(round_trip({}).tensors.empty());
}

TEST_F(TensorFileTest, WritesEveryLayoutAsPlain) {
  const Tensor plain = hashed_tensor("x", {2, 32, 3, 5}, 1.0, 0.0, 0, DType::f32);
  TensorFile file;
  for (const Layout layout : {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16}) {
    file.tensors[std::to_string(static_cast<int>(layout))] = to_layout(plain, layout);
  }
  file.tensors["rows"] = plain.rows(1, 1);  // a view into the middle of a buffer
  const TensorFile found = round_trip(file);
  for (const char* layout : {"0", "1", "2", "3"}) {
    EXPECT_TRUE(same_bits(find_tensor(found, layout), plain)) << layout;
  }
  EXPECT_TRUE(same_bits(find_tensor(found, "rows"), clone(plain.rows(1, 1))));
}

TEST_F(TensorFileTest, WritesTheBytesOfTheFormat) {
  TensorFile file;
  file.metadata = {{"k", "v"}};
  file.tensors["b"] = from_values<int64_t>({1}, {258});
  file.tensors["a"] = from_values<float>({1, 2}, {1.0F, -2.0F});
  write_tensor_file(path_, file);
  // Keys are sorted, and the wider type comes first in the data, so that both are aligned.
  std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[8,16],"dtype":"F32","shape":[1,2]},)"
      R"("b":{"data_offsets":[0,8],"dtype":"I64","shape":[1]}})";
  header.resize(136, ' ');
  const std::string length("\x88\0\0\0\0\0\0\0", 8);
  const std::string data("\2\1\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\xc0", 16);
  EXPECT_EQ(content(), length + header + data);
}

TEST_F(TensorFileTest, AlignsEveryTensor) {
  TensorFile file;
  for (const auto& [name, dtype] : std::map<std::string, DType>{
           {"a", DType::u8}, {"b", DType::f64}, {"c", DType::f32}, {"d", DType::i64}}) {
    file.tensors[name] = Tensor({3}, dtype);
    std::memset(file.tensors[name].raw(), name[0], static_cast<size_t>(3 * size_of(dtype)));
  }
  write_tensor_file(path_, file);
  const std::string bytes = content();
  const size_t data = bytes.find("bbb", 8 + bytes.find('}'));
  EXPECT_EQ(data % 8, 0U);
  EXPECT_EQ(bytes.substr(data), std::string(24, 'b') + std::string(24, 'd') + std::string(12, 'c') +
                                    std::string(3, 'a'));
}

TEST_F(TensorFileTest, WidensNarrowTypes) {
  const TensorFile ints = read_made(R"({"i":{"dtype":"I32","shape":[3],"data_offsets":[0,12]}})",
                                    std::string("\x05\0\0\0\xff\xff\xff\xff\0\0\0\x80", 12));
  EXPECT_TRUE(same_bits(find_tensor(ints, "i"),
                        from_values<int64_t>({3}, {5, -1, std::numeric_limits<int32_t>::min()})));
  const TensorFile brain = read_made(R"({"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})",
                                     std::string("\x80\x3f\x49\xc0\x80\x7f", 6));
  EXPECT_TRUE(
      same_bits(find_tensor(brain, "b"), from_values<float>({3}, {1.0F, -3.140625F, INFINITY})));
  // 1, -2, the largest, the smallest normal, the smallest, -0, infinity.
  const TensorFile half =
      read_made(R"({"h":{"dtype":"F16","shape":[7],"data_offsets":[0,14]}})",
                std::string("\x00\x3c\x00\xc0\xff\x7b\x00\x04\x01\x00\x00\x80\x00\x7c", 14));
  EXPECT_TRUE(same_bits(
      find_tensor(half, "h"),
      from_values<float>({7}, {1.0F, -2.0F, 65504.0F, 0x1p-14F, 0x1p-24F, -0.0F, INFINITY})));
  const TensorFile nan =
      read_made(R"({"n":{"dtype":"F16","shape":[],"data_offsets":[0,2]}})", "\x01\x7e");
  EXPECT_TRUE(std::isnan(item(find_tensor(nan, "n"))));
}

TEST_F(TensorFileTest, ReadsFilesOfOthers) {
  // Compact and unsorted, with unknown fields, and tensors in another order than their data.
  const TensorFile file =
      read_made(R"({"z":{"shape":[2],"data_offsets":[1,3],"dtype":"U8","more":1},)"
                R"("a":{"dtype":"U8","data_offsets":[0,1],"shape":[1]},"e":)"
                R"({"dtype":"F64","shape":[0],"data_offsets":[1,1]}})",
                "\x07\x08\x09");
  EXPECT_EQ(to_values(find_tensor(file, "z")), (std::vector<double>{8, 9}));
  EXPECT_EQ(to_values(find_tensor(file, "a")), (std::vector<double>{7}));
  EXPECT_EQ(find_tensor(file, "e").elements(), 0);
}

TEST_F(TensorFileTest, RefusesToWriteWhatNobodyCouldRead) {
  const auto expect_refused = [&](const TensorFile& file, const std::string& words) {
    const std::string message = error_of([&] { write_tensor_file(path_, file); });
    EXPECT_TRUE(message.starts_with("cannot write '" + path_.string() + "'")) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  TensorFile file;
  file.tensors["w"] = Tensor();
  expect_refused(file, "'w' is not defined");
  file.tensors = {{"__metadata__", zeros({1})}};
  expect_refused(file, "__metadata__");
  file.tensors = {{"not UTF-8: \xff", zeros({1})}};
  expect_refused(file, "UTF-8");
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(TensorFileTest, NamesATensorThatIsMissing) {
  TensorFile file;
  file.tensors["here"] = zeros({1});
  const TensorFile found = round_trip(file);
  const std::string message = error_of([&] { find_tensor(found, "gone"); });
  EXPECT_NE(message.find("'gone'"), std::string::npos) << message;
  EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
}

TEST(Golden, DistanceIsRelativeToTheExpectedNorm) {
  const Tensor expected = from_values<double>({2}, {3.0, 4.0});
  const Tensor found = from_values<float>({2}, {3.0F, 4.5F});
  EXPECT_DOUBLE_EQ(test_support::distance(found, expected), 0.1);
  EXPECT_DOUBLE_EQ(test_support::distance(found, expected, 50.0), 0.01);
  EXPECT_EQ(test_support::distance(expected, expected), 0.0);
  EXPECT_EQ(test_support::distance(found.reshape({1, 2}), expected), INFINITY);
  EXPECT_EQ(test_support::distance(full({2}, NAN), expected), INFINITY);
  EXPECT_EQ(test_support::distance(expected, full({2}, NAN)), INFINITY);
}

TEST(Golden, FilesCarryTheirSettings) {
  const TensorFile file = golden("resnet18.safetensors");
  EXPECT_EQ(file.metadata.at("arch"), "resnet18");
  EXPECT_EQ(find_tensor(file, "output").shape(), Shape({3, 512, 2, 2}));
  EXPECT_EQ(find_tensor(file, "gradient_floor").shape().axes(), 0);
}

}  // namespace
}  // namespace engine
