// The optimiser's update of a step, made as late as possible. It waits for the next step, which
// begins with an update of the momentum encoder: one pass over all parameters then does both. It
// has to be made earlier if somebody looks at the parameters in between.
#pragma once

#include <optional>

#include "layers/optim/sgd.h"
#include "pixpro/train/loss_scale.h"

namespace pixpro {

class DeferredUpdate {
 public:
  // Both must outlive this object.
  DeferredUpdate(layers::Sgd& optimizer, LossScale& loss_scale)
      : optimizer_(optimizer), loss_scale_(loss_scale) {}

  // From now on an update with the present gradients is due. not_finite: one element, f32, on the
  // device; if it is not 0, the update will leave the parameters as they are. Throws if the
  // previous update has not been made.
  void defer(double learning_rate, const engine::Tensor& not_finite);

  // Makes the update, if one is due. The momentum encoder does not follow yet.
  void make();
  // Makes the update, if one is due, and the momentum encoder follows.
  void make_and_follow(double encoder_momentum);

 private:
  struct Due {
    double learning_rate;
    engine::Tensor not_finite;
  };
  void make_due(std::optional<double> encoder_momentum);

  layers::Sgd& optimizer_;
  LossScale& loss_scale_;
  std::optional<Due> due_;
};

}  // namespace pixpro
