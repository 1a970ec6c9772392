#include "engine/tensor_ops.h"

#include <algorithm>
#include <cmath>

#include "engine/context.h"
#include "engine/kernels/pointwise.h"

namespace engine {

Tensor full(Shape shape, double value, DType dtype, Device device) {
  Tensor t(shape, dtype, device);
  on_device(device, [&](auto& ctx) { fill(ctx, t, value); });
  return t;
}

Tensor zeros(Shape shape, DType dtype, Device device) { return full(shape, 0.0, dtype, device); }

Tensor zeros_like(const Tensor& t) {
  Tensor result = empty_like(t);
  on_device(t.device(), [&](auto& ctx) { fill(ctx, result, 0.0); });
  return result;
}

Tensor clone(const Tensor& source) {
  Tensor copy = empty_like(source);
  on_device(source.device(), [&](auto& ctx) { engine::copy(ctx, source, copy); });
  return copy;
}

Tensor to_device(const Tensor& source, Device device) {
  if (source.device() == device) return source;
  Tensor result(source.shape(), source.dtype(), device, source.layout());
  // The CPU's copy knows host memory only; another device's copies to and from the host.
  const Device other = device == kCpu ? source.device() : device;
  on_device(other, [&](auto& ctx) { copy(ctx, source, result); });
  return result;
}

Tensor converted(const Tensor& source, DType dtype, Layout layout) {
  if (source.dtype() == dtype && source.layout() == layout) return source;
  Tensor result(source.shape(), dtype, source.device(), layout);
  copy_into(source, result);
  return result;
}

Tensor to_dtype(const Tensor& source, DType dtype) {
  return converted(source, dtype, source.layout());
}

Tensor to_layout(const Tensor& source, Layout layout) {
  return converted(source, source.dtype(), layout);
}

void copy_into(const Tensor& source, Tensor& target) {
  const Tensor near = to_device(source, target.device());
  on_device(target.device(), [&](auto& ctx) { convert(ctx, near, target); });
}

Tensor concatenate_rows(const std::vector<Tensor>& parts) {
  require(!parts.empty(), "concatenate_rows: expected at least one tensor");
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    require(part.dtype() == parts[0].dtype() && part.layout() == parts[0].layout() &&
                part.shape().axes() >= 1 && part.shape().with(0, 1) == parts[0].shape().with(0, 1),
            "concatenate_rows: ", part, " cannot be joined to ", parts[0]);
    rows += part.shape()[0];
  }
  Tensor whole(parts[0].shape().with(0, rows), parts[0].dtype(), parts[0].device(),
               parts[0].layout());
  rows = 0;
  for (const Tensor& part : parts) {
    Tensor target = whole.rows(rows, part.shape()[0]);
    on_device(target.device(), [&](auto& ctx) { convert(ctx, part, target); });
    rows += part.shape()[0];
  }
  return whole;
}

template <class T>
Tensor from_values(Shape shape, const std::vector<T>& values) {
  require(static_cast<int64_t>(values.size()) == shape.elements(), "from_values: ", values.size(),
          " values for a tensor ", shape);
  Tensor t(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), t.template data<T>());
  return t;
}
template Tensor from_values(Shape, const std::vector<float>&);
template Tensor from_values(Shape, const std::vector<double>&);
template Tensor from_values(Shape, const std::vector<int64_t>&);

std::vector<double> to_values(const Tensor& t) {
  const Tensor readable = to_dtype(t, at_least_f32(t.dtype()));
  const Tensor plain = to_layout(to_device(readable, kCpu), Layout::plain);
  const auto copied = [&](const auto* data) {
    return std::vector<double>(data, data + plain.elements());
  };
  if (t.dtype() == DType::i64) return copied(plain.data<int64_t>());
  if (t.dtype() == DType::u8) return copied(plain.data<uint8_t>());
  return for_float(plain.dtype(), [&](auto zero) { return copied(plain.data<decltype(zero)>()); });
}

double item(const Tensor& t) {
  require(t.elements() == 1, "item: expected one element, found ", t.shape());
  return to_values(t)[0];
}

bool all_finite(const Tensor& t) {
  return std::ranges::all_of(to_values(t), [](double value) { return std::isfinite(value); });
}

}  // namespace engine
