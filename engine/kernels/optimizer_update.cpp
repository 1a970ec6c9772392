#include "engine/kernels/optimizer_update.h"

namespace engine {

void check_update(const ParameterUpdate& u) {
  if (u.gradient.defined()) {
    require_same("sgd", u.parameter, u.gradient);
    require_same("sgd", u.parameter, u.momentum);
  }
  if (u.follower.defined()) require_same("sgd", u.parameter, u.follower);
}

}  // namespace engine
