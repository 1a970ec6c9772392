#include "engine/kernels/copy_if.h"

namespace engine {

void check_copy_if(const std::vector<Tensor>& from, const std::vector<Tensor>& to) {
  require(from.size() == to.size(), "copy_if: expected ", from.size(), " tensors, found ",
          to.size());
  for (size_t i = 0; i < from.size(); ++i) require_same("copy_if", from[i], to[i]);
}

}  // namespace engine
