// Packed copies of weights. Parameters are stored in Layout::plain, but every convolution kernel
// needs its own form of them, and packing costs a few percent of the convolution. A form that is
// used again before the weight changes is therefore kept (gradient accumulation, evaluation). A
// form that is used once per version is not kept: all forms of a ResNet-18 take ten times the
// memory of its weights.
#pragma once

#include <functional>
#include <vector>

#include "engine/context.h"

namespace engine {

// Identifies a form: a WeightKind and the numbers that the form depends on besides the weight's
// shape.
using WeightForm = std::vector<int64_t>;
enum WeightKind : int64_t { kLibraryForm, kDirectForm, kWinogradForm };

// A form of w as a tensor of `floats` floats. Calls pack(tensor) to write it, and counts that in
// CpuCounters::packings, unless a copy of the present contents of w is kept. The result is never
// stale if whoever writes w follows the rule of Tensor::data.
Tensor packed_weight(CpuContext&, const Tensor& w, const WeightForm& form, int64_t floats,
                     const std::function<void(Tensor&)>& pack);

}  // namespace engine
