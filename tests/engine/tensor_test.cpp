#include "engine/tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "engine/tensor_ops.h"
#include "tests/support/error_of.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::error_of;
using test_support::hashed_tensor;

std::string text_of(const auto& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape({2, 3, 4}).elements(), 24);
  EXPECT_EQ(Shape({2, 0, 4}).elements(), 0);
  EXPECT_EQ(Shape({2, 3, 4}).with(1, 7), Shape({2, 7, 4}));
  EXPECT_EQ(text_of(Shape({2, 3})) + text_of(Shape()), "[2,3][]");
}

TEST(Shape, RefusesWhatCannotBeCounted) {
  constexpr int64_t kLarge = int64_t{1} << 40;
  EXPECT_NE(error_of([] { Shape({2, -3}); }).find("[2,-3]"), std::string::npos);
  EXPECT_NE(error_of([] { Shape({1, 1, 1, 1, 1, 1}); }).find("found 6"), std::string::npos);
  EXPECT_THROW(Shape({kLarge, kLarge}), Error);            // beyond 64 bits
  EXPECT_THROW(Shape({kLarge, int64_t{1} << 24}), Error);  // 2^64: wraps to zero
  EXPECT_THROW(Shape({kLarge, int64_t{1} << 20}), Error);  // bytes beyond 64 bits
  EXPECT_THROW(Shape({3, INT64_MAX, INT64_MAX}), Error);
}

TEST(Tensor, APartSharesMemoryInItsOwnShapeAndLayout) {
  Tensor flat = zeros({20}, DType::f64);
  Tensor part = flat.part(3, {1, 2, 2, 3}, Layout::nhwc);
  const Tensor image = hashed_tensor("image", {1, 2, 2, 3});
  copy_into(image, part);
  EXPECT_EQ(to_values(part), to_values(image));
  EXPECT_EQ(flat.data<double>()[3 + 1], image.data<double>()[6]);  // pixel 0 of channel 1
  EXPECT_EQ(flat.data<double>()[2] + flat.data<double>()[15], 0.0);
  EXPECT_EQ(part.buffer(), flat.buffer());
  EXPECT_NE(error_of([&] { flat.part(9, {12}, Layout::plain); }).find("[20]"), std::string::npos);
  EXPECT_NE(error_of([&] { flat.part(-1, {2}, Layout::plain); }), "");
  EXPECT_NE(error_of([&] { flat.part(0, {12}, Layout::nhwc); }), "");
  EXPECT_NE(error_of([&] { part.part(0, {12}, Layout::plain); }), "");
}

TEST(Tensor, HandlesShareMemory) {
  Tensor a({2, 3});
  EXPECT_TRUE(a.uniquely_owned());
  Tensor b = a;
  EXPECT_FALSE(a.uniquely_owned());
  b.data<float>()[4] = 7.0F;
  EXPECT_EQ(a.data<float>()[4], 7.0F);
  EXPECT_EQ(a.bytes(), 24);
  EXPECT_EQ(text_of(a), "f32 [2,3] plain cpu");
}

TEST(Tensor, AnswersOnlyForItsType) {
  Tensor a({2}, DType::f64);
  EXPECT_NE(error_of([&] { a.data<float>(); }).find("expected f32 data, found f64 [2]"),
            std::string::npos);
  Tensor none;
  EXPECT_FALSE(none.defined());
  EXPECT_THROW(none.data<float>(), Error);
}

TEST(Tensor, ReshapeIsAViewOfAsManyElements) {
  const Tensor a = hashed_tensor("a", {2, 6});
  const Tensor b = a.reshape({3, 4});
  EXPECT_EQ(b.shape(), Shape({3, 4}));
  EXPECT_EQ(b.raw(), a.raw());
  EXPECT_EQ(a.rows(1, 1).reshape({2, 3}).raw(), a.rows(1, 1).raw());
  EXPECT_NE(error_of([&] { a.reshape({5}); }).find("[2,6] and [5]"), std::string::npos);
  const Tensor nhwc({1, 2, 3, 4}, DType::f32, kCpu, Layout::nhwc);
  EXPECT_NE(error_of([&] { nhwc.reshape({24}); }).find("nhwc"), std::string::npos);
}

TEST(Tensor, RowsAreAViewInEveryLayout) {
  const Tensor plain = hashed_tensor("a", {4, 16, 3, 2});
  for (const Layout layout : {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16}) {
    const Tensor all = to_layout(plain, layout);
    const Tensor middle = all.rows(1, 2);
    EXPECT_EQ(middle.buffer(), all.buffer());
    EXPECT_EQ(middle.layout(), layout);
    EXPECT_EQ(to_values(middle), to_values(plain.rows(1, 2))) << layout;
    EXPECT_EQ(to_values(middle.rows(1, 1)), to_values(plain.rows(2, 1))) << layout;
  }
}

TEST(Tensor, RowsMustBeInTheTensor) {
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  const Tensor a({4, 2});
  EXPECT_EQ(a.rows(4, 0).elements(), 0);
  for (const auto& [begin, count] : std::vector<std::pair<int64_t, int64_t>>{
           {-1, 1}, {0, -1}, {3, 2}, {5, 0}, {kFar, 1}, {1, kFar}}) {
    EXPECT_THROW(a.rows(begin, count), Error) << begin << ' ' << count;
  }
  EXPECT_THROW(Tensor(Shape{}).rows(0, 1), Error);
}

TEST(Tensor, RefusesALayoutThatDoesNotFit) {
  const auto make = [](const Shape& shape, Layout layout) {
    return error_of([&] { Tensor(shape, DType::f32, kCpu, layout); });
  };
  EXPECT_NE(make({2, 3, 4}, Layout::nhwc).find("[N,C,H,W]"), std::string::npos);
  EXPECT_NE(make({2, 12, 4, 4}, Layout::blocked8).find("multiples of 8"), std::string::npos);
  EXPECT_NE(make({2, 24, 4, 4}, Layout::blocked16).find("multiples of 16"), std::string::npos);
  EXPECT_EQ(make({2, 24, 4, 4}, Layout::blocked8), "no error");
}

// Every element must be where the comment on Planes says.
TEST(Tensor, PlanesSayWhereEachElementIs) {
  const Tensor plain = hashed_tensor("a", {2, 32, 3, 5});
  const double* values = plain.data<double>();
  for (const Layout layout : {Layout::plain, Layout::nhwc, Layout::blocked8, Layout::blocked16}) {
    const Tensor t = to_layout(plain, layout);
    const Planes p = planes_of(t);
    ASSERT_EQ(p.n * p.channels() * p.pixels, t.elements()) << layout;
    for (int64_t k = 0; k < t.elements(); ++k) {
      const int64_t i = k / (32 * 15), c = k / 15 % 32, pixel = k % 15;
      const int64_t place =
          ((i * p.blocks + c / p.lanes) * p.pixels + pixel) * p.lanes + c % p.lanes;
      ASSERT_EQ(t.data<double>()[place], values[k]) << layout << ' ' << k;
    }
  }
}

TEST(Tensor, PlanesOfMatricesAndVolumes) {
  const Planes matrix = planes_of(Tensor({3, 7}));
  EXPECT_EQ(matrix.n, 3);
  EXPECT_EQ(matrix.pixels, 1);
  EXPECT_EQ(matrix.lanes, 7);
  const Planes volume = planes_of(Tensor({3, 7, 2, 4, 5}));
  EXPECT_EQ(volume.channels(), 7);
  EXPECT_EQ(volume.pixels, 40);
  EXPECT_THROW(planes_of(Tensor({3})), Error);
}

TEST(Tensor, SamenessNamesBothSides) {
  const Tensor a({2, 3}), b({2, 3}, DType::f64), c({3, 2});
  EXPECT_NO_THROW(require_same("add", a, empty_like(a)));
  EXPECT_EQ(error_of([&] { require_same("add", a, b); }),
            "add: expected a tensor f32 [2,3] plain cpu, found f64 [2,3] plain cpu");
  EXPECT_THROW(require_same("add", a, c), Error);
}

}  // namespace
}  // namespace engine
