// The extents of a tensor, outermost first.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

namespace engine {

class Shape {
 public:
  static constexpr int kMaxAxes = 5;

  Shape() = default;  // no axes, one element
  Shape(std::initializer_list<int64_t> extents)
      : Shape(std::span(extents.begin(), extents.size())) {}
  // Throws on more than kMaxAxes extents, on a negative one and on 2^56 or more elements.
  explicit Shape(std::span<const int64_t> extents);

  int axes() const { return axes_; }
  int64_t operator[](int axis) const { return extents_[static_cast<size_t>(axis)]; }
  int64_t elements() const;
  const int64_t* begin() const { return extents_.data(); }
  const int64_t* end() const { return extents_.data() + axes_; }
  bool operator==(const Shape&) const = default;

  // The same shape with another extent along one axis.
  Shape with(int axis, int64_t extent) const;

 private:
  std::array<int64_t, kMaxAxes> extents_{};
  int axes_ = 0;
};

std::ostream& operator<<(std::ostream&, const Shape&);  // [2,3,224,224]

}  // namespace engine
