#include "engine/kernels/copy_if.h"

#include <algorithm>

namespace engine {

void copy_if(CpuContext&, const Tensor& condition, const std::vector<Tensor>& from,
             std::vector<Tensor>& to) {
  check_copy_if(from, to);
  if (condition.defined() && *condition.data<float>() == 0.0f) return;
  for (size_t i = 0; i < from.size(); ++i) {
    for_float(from[i].dtype(), [&](auto zero) {
      using T = decltype(zero);
      std::copy_n(from[i].data<T>(), from[i].elements(), to[i].data<T>());
    });
  }
}

}  // namespace engine
