#include "pixpro/train/deferred_update.h"

#include <utility>

namespace pixpro {

void DeferredUpdate::defer(double learning_rate, const engine::Tensor& not_finite) {
  engine::require(!due_, "update: the gradients of the previous step have not been used yet");
  due_ = {.learning_rate = learning_rate, .not_finite = not_finite};
}

void DeferredUpdate::make() {
  if (due_) make_due({});
}

void DeferredUpdate::make_and_follow(double encoder_momentum) {
  if (due_) {
    make_due(encoder_momentum);
  } else {
    optimizer_.follow(encoder_momentum);
  }
}

void DeferredUpdate::make_due(std::optional<double> encoder_momentum) {
  const Due update = *std::exchange(due_, std::nullopt);
  optimizer_.step(update.learning_rate, update.not_finite, loss_scale_.factor(), encoder_momentum);
  loss_scale_.update(update.not_finite);
}

}  // namespace pixpro
