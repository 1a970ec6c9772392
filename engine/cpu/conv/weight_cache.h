// Packed copies of weights. Parameters are stored plain; every convolution kernel wants its own
// form of them, and making it costs a few percent of the convolution. So a form that is asked for
// again before the weight changes is kept (micro-batches, evaluation); one that is used once a
// version is not, since keeping all forms of a ResNet-18 takes ten times the weights' memory.
#pragma once

#include <functional>
#include <vector>

#include "engine/context.h"

namespace engine {

// Names a form: a kind and the numbers that it depends on besides the weight's shape.
using WeightForm = std::vector<int64_t>;
enum WeightKind : int64_t { kLibraryForm, kDirectForm, kWinogradForm };

// A form of w as a tensor of `floats` floats, written by pack(tensor) where no copy made from the
// present contents of w is kept. Counted in CpuCounters::packings. Never stale as long as w is
// written as Tensor::data asks.
Tensor packed_weight(CpuContext&, const Tensor& w, const WeightForm& form, int64_t floats,
                     const std::function<void(Tensor&)>& pack);

}  // namespace engine
