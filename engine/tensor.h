// Tensor: a handle on a shared buffer, with a shape, an element type, a device and a layout.
// Copying a Tensor copies the handle. The shape of an activation is [N,C,H,W] whatever its layout.
#pragma once

#include <memory>
#include <vector>

#include "engine/allocator.h"
#include "engine/device.h"
#include "engine/error.h"
#include "engine/shape.h"

namespace engine {

class Tensor {
 public:
  Tensor() = default;  // no tensor: defined() is false
  // Uninitialised memory. Throws if the layout does not fit the shape (see Layout).
  explicit Tensor(Shape shape, DType dtype = DType::f32, Device device = kCpu,
                  Layout layout = Layout::plain);

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const { return buffer_ ? buffer_->device() : kCpu; }
  Layout layout() const { return layout_; }
  int64_t elements() const { return shape_.elements(); }
  int64_t bytes() const { return elements() * size_of(dtype_); }

  // The elements in memory order. Throws if T is not the tensor's type. Asking for writable
  // elements gives the buffer a new version, which makes packed copies of a weight stale. So write
  // through a pointer only until the next kernel runs, then ask for a new one.
  template <class T>
  T* data() {
    void* elements = checked(dtype_of<T>());
    buffer_->about_to_write();
    return static_cast<T*>(elements);
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(checked(dtype_of<T>()));
  }
  void* raw() {
    buffer_->about_to_write();
    return static_cast<char*>(buffer_->data()) + offset_bytes_;
  }
  const void* raw() const { return static_cast<const char*>(buffer_->data()) + offset_bytes_; }

  // The same memory under another shape of as many elements. The layout must be plain.
  Tensor reshape(Shape shape) const;
  // Rows begin .. begin+count-1 of axis 0, sharing memory, in any layout.
  Tensor rows(int64_t begin, int64_t count) const;
  // A part of a plain tensor, from this element on, as a tensor of another shape and layout that
  // shares its memory.
  Tensor part(int64_t begin, Shape shape, Layout layout) const;

  // True if no other handle shares this memory. Only then may the tape change it in place.
  bool uniquely_owned() const { return buffer_.use_count() == 1; }
  const Buffer* buffer() const { return buffer_.get(); }
  // Expires when the memory is freed.
  std::weak_ptr<const Buffer> watch() const { return buffer_; }

 private:
  void* checked(DType expected) const;

  Shape shape_;
  DType dtype_ = DType::f32;
  Layout layout_ = Layout::plain;
  int64_t offset_bytes_ = 0;
  std::shared_ptr<Buffer> buffer_;
};

// A new, uninitialised tensor of the same shape, type, device and layout.
Tensor empty_like(const Tensor&);

// A tensor with 2 or more axes seen as [n, blocks, pixels, lanes], so that one channel-wise kernel
// serves every layout: channel c of pixel p in image i is element
// ((i * blocks + c / lanes) * pixels + p) * lanes + c % lanes.
// plain: lanes = 1; nhwc and [N,C]: lanes = C; blocked: lanes = the block.
struct Planes {
  int64_t n, blocks, pixels, lanes;
  int64_t channels() const { return blocks * lanes; }
};
Planes planes_of(const Tensor&);

// For messages: "f32 [2,3,8,8] plain cpu".
std::ostream& operator<<(std::ostream&, const Tensor&);

// Throws "<op>: expected ..." unless both have the same shape, type, device and layout.
void require_same(const char* op, const Tensor& expected, const Tensor& found);

}  // namespace engine
