// Tensor: a cheap handle on a shared buffer with a shape, an element type, a device and a layout.
// Copying a Tensor copies the handle. 4-D activations are logically [N,C,H,W] in any layout.
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
  // Uninitialised memory. Throws where the layout does not fit the shape (see Layout).
  explicit Tensor(Shape shape, DType dtype = DType::f32, Device device = kCpu,
                  Layout layout = Layout::plain);

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const { return buffer_ ? buffer_->device() : kCpu; }
  Layout layout() const { return layout_; }
  int64_t elements() const { return shape_.elements(); }
  int64_t bytes() const { return elements() * size_of(dtype_); }

  // The elements in memory order. Throws where T is not the tensor's type. Asking for writable
  // elements gives the buffer a new version, which makes packed copies of a weight stale: write
  // through a pointer only until the next kernel runs, then ask anew.
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

  // The same memory under another shape of as many elements; plain layout only.
  Tensor reshape(Shape shape) const;
  // Rows begin .. begin+count-1 of axis 0, sharing memory; any layout.
  Tensor rows(int64_t begin, int64_t count) const;

  // True where no other handle sees this memory: only then may it be changed in place by the tape.
  bool uniquely_owned() const { return buffer_.use_count() == 1; }
  const Buffer* buffer() const { return buffer_.get(); }
  // Tells whether the memory is still in use, without keeping it.
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

// Any 4-D layout, and any plain tensor of rank >= 2, seen as [n, blocks, pixels, lanes]: channel
// c of pixel p in image i lies at ((i * blocks + c / lanes) * pixels + p) * lanes + c % lanes. One
// channel-wise kernel thus serves every layout. plain: lanes = 1; nhwc and [N,C]: lanes = C.
struct Planes {
  int64_t n, blocks, pixels, lanes;
  int64_t channels() const { return blocks * lanes; }
};
Planes planes_of(const Tensor&);

// "f32 [2,3,8,8] plain cpu": for messages.
std::ostream& operator<<(std::ostream&, const Tensor&);

// Throws "<op>: <what> ..." unless both have the same shape, type, device and layout.
void require_same(const char* op, const Tensor& expected, const Tensor& found);

}  // namespace engine
