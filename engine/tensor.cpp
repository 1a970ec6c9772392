#include "engine/tensor.h"

namespace engine {
namespace {

int64_t block_of(Layout layout) { return layout == Layout::blocked8 ? 8 : 16; }

bool is_blocked(Layout layout) { return layout == Layout::blocked8 || layout == Layout::blocked16; }

void require_fits(const Shape& shape, Layout layout) {
  if (layout == Layout::plain) return;
  require(shape.axes() == 4, "tensor: layout ", layout, " needs [N,C,H,W], found ", shape);
  require(!is_blocked(layout) || shape[1] % block_of(layout) == 0, "tensor: layout ", layout,
          " needs channels in multiples of ", block_of(layout), ", found ", shape);
}

}  // namespace

Tensor::Tensor(Shape shape, DType dtype, Device device, Layout layout)
    : shape_(shape), dtype_(dtype), layout_(layout) {
  require_fits(shape, layout);
  buffer_ = std::make_shared<Buffer>(device, bytes());
}

Tensor Tensor::reshape(Shape shape) const {
  require(layout_ == Layout::plain, "reshape: expected a plain layout, found ", layout_);
  require(shape.elements() == elements(), "reshape: ", shape_, " and ", shape,
          " have different numbers of elements");
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::rows(int64_t begin, int64_t count) const {
  require(shape_.axes() >= 1 && begin >= 0 && count >= 0 && begin <= shape_[0] - count,
          "rows: ", shape_, " does not have ", count, " rows from row ", begin, " on");
  Tensor view = *this;
  view.shape_ = shape_.with(0, count);
  if (count > 0) view.offset_bytes_ += begin * (view.bytes() / count);
  return view;
}

Tensor Tensor::part(int64_t begin, Shape shape, Layout layout) const {
  require(layout_ == Layout::plain, "part: expected a plain layout, found ", layout_);
  require(begin >= 0 && begin <= elements() - shape.elements(), "part: ", shape_, " does not have ",
          shape, " from element ", begin, " on");
  require_fits(shape, layout);
  Tensor view = *this;
  view.shape_ = shape;
  view.layout_ = layout;
  view.offset_bytes_ += begin * size_of(dtype_);
  return view;
}

void* Tensor::checked(DType expected) const {
  require(defined(), "tensor: expected ", expected, " data, found no tensor");
  require(dtype_ == expected, "tensor: expected ", expected, " data, found ", *this);
  return static_cast<char*>(buffer_->data()) + offset_bytes_;
}

Tensor empty_like(const Tensor& t) { return Tensor(t.shape(), t.dtype(), t.device(), t.layout()); }

Planes planes_of(const Tensor& t) {
  const Shape& s = t.shape();
  require(s.axes() >= 2, "expected a tensor with 2 or more axes, found ", t);
  if (s.axes() == 2) return {s[0], 1, 1, s[1]};
  int64_t pixels = 1;
  for (int axis = 2; axis < s.axes(); ++axis) pixels *= s[axis];
  switch (t.layout()) {
    case Layout::plain:
      return {s[0], s[1], pixels, 1};
    case Layout::nhwc:
      return {s[0], 1, pixels, s[1]};
    case Layout::blocked8:
    case Layout::blocked16:
      break;
  }
  const int64_t block = block_of(t.layout());
  return {s[0], s[1] / block, pixels, block};
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) {
  return out << t.dtype() << ' ' << t.shape() << ' ' << t.layout() << ' ' << t.device();
}

void require_same(const char* op, const Tensor& expected, const Tensor& found) {
  require(expected.shape() == found.shape() && expected.dtype() == found.dtype() &&
              expected.device() == found.device() && expected.layout() == found.layout(),
          op, ": expected a tensor ", expected, ", found ", found);
}

}  // namespace engine
