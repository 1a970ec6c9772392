// Var: a tensor that a tape can differentiate. Copies share the value and the gradient.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "engine/tensor.h"

namespace autograd {

using engine::DType;
using engine::Layout;
using engine::Shape;
using engine::Tensor;

// Accumulates the gradient of one Var. A slot may outlive its Var, because nodes refer to
// slots. It does not hold the value, so that activations are freed as soon as nobody needs them.
struct GradSlot {
  Tensor grad;  // undefined until a gradient arrives; shape, type and layout of the value
  bool needs_grad = false;
  int64_t pending_uses = 0;        // recorded uses whose gradient has not arrived yet
  std::function<void()> on_ready;  // called once the last pending gradient of a leaf has arrived

  Shape shape;
  DType dtype = DType::f32;
  Layout layout = Layout::plain;
  int64_t producer = -1;  // number of the node that computed the value; -1: leaf or constant

  // Adds a gradient. The first one is kept without a copy. Later ones are added in place only if
  // nobody else holds the memory, because an op may return one tensor for two inputs.
  void accumulate(const Tensor& gradient);
};

class Var {
 public:
  Var() = default;                // no variable: defined() is false
  explicit Var(Tensor value);     // a constant: no gradient reaches it
  static Var leaf(Tensor value);  // a parameter or input with a gradient

  bool defined() const { return slot_ != nullptr; }
  const Tensor& value() const { return value_; }
  Tensor& value() { return value_; }
  const Shape& shape() const { return value_.shape(); }

  bool needs_grad() const { return slot_ && slot_->needs_grad; }
  // Undefined if no gradient has arrived.
  const Tensor& grad() const { return slot_->grad; }
  void clear_grad() { slot_->grad = Tensor(); }
  // Turns a leaf into a constant, as the parameters of the momentum encoder are.
  void freeze() { slot_->needs_grad = false; }
  // The hook runs during a backward sweep, once every recorded use of this leaf has delivered.
  void on_ready(std::function<void()> hook) { slot_->on_ready = std::move(hook); }

  const std::shared_ptr<GradSlot>& slot() const { return slot_; }

 private:
  Tensor value_;
  std::shared_ptr<GradSlot> slot_;
};

}  // namespace autograd
