// Copies of many small tensors at once, made only if the device finds that they are needed.
#pragma once

#include <vector>

#include "engine/context.h"

namespace engine {

// Copies every tensor of `from` to the one at the same position of `to`, if `condition` (one f32
// element) is not 0. An undefined condition counts as 1. The two tensors of a copy have the same
// shape and layout and the same type: f32, on the CPU also f64. The condition is read when the copy
// runs, so the host does not wait for it.
void copy_if(CpuContext&, const Tensor& condition, const std::vector<Tensor>& from,
             std::vector<Tensor>& to);
void copy_if(CudaContext&, const Tensor& condition, const std::vector<Tensor>& from,
             std::vector<Tensor>& to);

// What the kernels of every device check first.
void check_copy_if(const std::vector<Tensor>& from, const std::vector<Tensor>& to);

}  // namespace engine
