#include "autograd/tape.h"

#include <algorithm>
#include <utility>

#include "engine/tensor_ops.h"

namespace autograd {
namespace {

thread_local Tape* current_tape = nullptr;

// One use of a slot has delivered its gradient, or never will.
void settle(GradSlot& slot) {
  const bool ready = --slot.pending_uses == 0;
  if (ready && slot.producer < 0 && slot.on_ready) slot.on_ready();
}

void run(const Node& node, const Tensor& dy) {
  Needs needs;
  for (const auto& input : node.inputs) {
    needs.wanted.push_back(input && input->needs_grad);
    const bool free = needs.wanted.back() && input->grad.uniquely_owned();
    needs.gathered.push_back(free ? std::exchange(input->grad, Tensor()) : Tensor());
  }
  const Gradients gradients = node.backward(dy, needs);
  engine::require(gradients.size() == node.inputs.size(), "tape: backward of ", node.op,
                  " returned ", gradients.size(), " gradients for ", node.inputs.size(), " inputs");
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!needs[i]) continue;
    Tensor& gathered = needs.gathered[i];
    const bool added = gathered.defined() && gradients[i].buffer() == gathered.buffer();
    if (gathered.defined() && !added) node.inputs[i]->grad = gathered;
    gathered = Tensor();
    node.inputs[i]->accumulate(gradients[i]);
  }
}

}  // namespace

bool is_parameter_of(const std::vector<Var>& inputs, const Tensor& tensor) {
  return std::ranges::any_of(inputs, [&](const Var& input) {
    return input.needs_grad() && input.slot()->producer < 0 &&
           input.value().buffer() == tensor.buffer();
  });
}

Tape::Tape() : previous_(std::exchange(current_tape, this)) {}

Tape::~Tape() {
  forget();
  current_tape = previous_;
}

Tape* Tape::current() { return current_tape; }

Var Tape::append(Node node, Tensor output) {
  Var y = Var::leaf(std::move(output));
  y.slot()->producer = static_cast<int64_t>(nodes_.size());
  node.output = y.slot();
  for (const auto& input : node.inputs) {
    if (input && input->needs_grad) ++input->pending_uses;
  }
  nodes_.push_back(std::move(node));
  return y;
}

void Tape::backward(const Var& y) {
  engine::require(y.value().elements() == 1, "backward: a loss of one element expected, found ",
                  y.shape(), "; pass the gradient of y for other shapes");
  Tensor one = engine::full(y.shape(), 1.0, y.value().dtype(), y.value().device());
  backward(y, one);
}

void Tape::backward(const Var& y, const Tensor& dy) {
  engine::require(y.needs_grad(), "backward: y depends on nothing that needs a gradient");
  const NoGrad nothing_recorded;
  try {
    y.slot()->accumulate(dy);
    sweep();
  } catch (...) {
    forget();
    throw;
  }
}

void Tape::sweep() {
  while (!nodes_.empty()) {
    const Node& node = nodes_.back();
    const Tensor dy = std::exchange(node.output->grad, Tensor());
    if (dy.defined()) run(node, dy);
    for (const auto& input : node.inputs) {
      if (input && input->needs_grad) settle(*input);
    }
    nodes_.pop_back();  // what it saved dies here
  }
}

void Tape::forget() {
  for (const Node& node : nodes_) {
    for (const auto& input : node.inputs) {
      if (input && input->needs_grad) --input->pending_uses;
    }
  }
  nodes_.clear();
}

NoGrad::NoGrad() : previous_(std::exchange(current_tape, nullptr)) {}

NoGrad::~NoGrad() { current_tape = previous_; }

}  // namespace autograd
