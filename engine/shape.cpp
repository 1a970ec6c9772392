#include "engine/shape.h"

#include <algorithm>

#include "engine/error.h"

namespace engine {

Shape::Shape(std::span<const int64_t> extents) : axes_(static_cast<int>(extents.size())) {
  require(extents.size() <= kMaxAxes, "shape: at most ", kMaxAxes, " extents, found ",
          extents.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
  int64_t product = 1;
  for (const int64_t extent : extents) {
    require(extent >= 0, "shape: extents must not be negative, found ", *this);
    // An extent of 0 counts as 1 here, so that no product of a subset of the extents overflows.
    require(!__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product) &&
                product < int64_t{1} << 56,
            "shape: too many elements in ", *this);
  }
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t extent : *this) product *= extent;
  return product;
}

Shape Shape::with(int axis, int64_t extent) const {
  Shape changed = *this;
  changed.extents_[static_cast<size_t>(axis)] = extent;
  return changed;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  const char* comma = "";
  for (const int64_t extent : shape) {
    out << comma << extent;
    comma = ",";
  }
  return out << ']';
}

}  // namespace engine
