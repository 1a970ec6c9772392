// Makes, copies and converts tensors on any device.
#pragma once

#include <vector>

#include "engine/tensor.h"

namespace engine {

Tensor full(Shape shape, double value, DType dtype = DType::f32, Device device = kCpu);
Tensor zeros(Shape shape, DType dtype = DType::f32, Device device = kCpu);
Tensor zeros_like(const Tensor&);  // of the same shape, type, device and layout

// A new tensor with the same elements.
Tensor clone(const Tensor&);
// The same elements in another type or layout, or on another device. Returns the tensor itself if
// nothing changes.
Tensor converted(const Tensor&, DType, Layout);
Tensor to_dtype(const Tensor&, DType);
Tensor to_layout(const Tensor&, Layout);
Tensor to_device(const Tensor&, Device);

// Overwrites `target` with the elements of `source`. The shapes must match; type, layout and device
// may differ.
void copy_into(const Tensor& source, Tensor& target);

// Joins tensors of the same type and layout along axis 0.
Tensor concatenate_rows(const std::vector<Tensor>& parts);

// Values on the host, in row-major order of the shape whatever the layout.
template <class T>
Tensor from_values(Shape shape, const std::vector<T>& values);
std::vector<double> to_values(const Tensor&);
double item(const Tensor&);  // the value of a tensor with one element
bool all_finite(const Tensor&);

}  // namespace engine
