#include "autograd/tape.h"

#include <algorithm>
#include <utility>

#include "engine/tensor_ops.h"

namespace autograd {
namespace {

thread_local Tape* current_tape = nullptr;

bool wants_gradient(const std::shared_ptr<GradSlot>& input) { return input && input->needs_grad; }

// The request moves the accumulated gradient out of the slot: the op then holds the only handle.
GradientRequest request_of(GradSlot& input) {
  const bool unshared = input.grad.uniquely_owned();
  return {.wanted = true, .add_to = unshared ? std::exchange(input.grad, Tensor()) : Tensor()};
}

// Takes what an op has returned for an input. If the op has not added it to `accumulated`, which
// the request had moved out of the slot, both are added here.
void deliver(const Tensor& gradient, Tensor accumulated, GradSlot& input) {
  const bool added = accumulated.defined() && gradient.buffer() == accumulated.buffer();
  if (accumulated.defined() && !added) input.grad = std::move(accumulated);
  input.accumulate(gradient);
}

void run_backward(const Node& node, const Tensor& dy) {
  GradientRequests requests(node.inputs.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (wants_gradient(node.inputs[i])) requests[i] = request_of(*node.inputs[i]);
  }
  const Gradients gradients = node.backward(dy, requests);
  engine::require(gradients.size() == requests.size(), "tape: backward of ", node.op, " returned ",
                  gradients.size(), " gradients for ", requests.size(), " inputs");
  for (size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i].wanted) continue;
    deliver(gradients[i], std::move(requests[i].add_to), *node.inputs[i]);
  }
}

// One recorded use of an input has delivered its gradient, or never will.
void end_use(GradSlot& input) {
  const bool ready = --input.pending_uses == 0;
  if (ready && input.producer < 0 && input.on_ready) input.on_ready();
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
    if (wants_gradient(input)) ++input->pending_uses;
  }
  nodes_.push_back(std::move(node));
  return y;
}

void Tape::backward(const Var& y) {
  engine::require(y.value().elements() == 1, "backward: expected a loss of one element, found ",
                  y.shape(), "; for other shapes, pass the gradient of y");
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
    if (dy.defined()) run_backward(node, dy);
    for (const auto& input : node.inputs) {
      if (wants_gradient(input)) end_use(*input);
    }
    nodes_.pop_back();  // frees what it saved
  }
}

void Tape::forget() {
  for (const Node& node : nodes_) {
    for (const auto& input : node.inputs) {
      if (wants_gradient(input)) --input->pending_uses;
    }
  }
  nodes_.clear();
}

NoGrad::NoGrad() : previous_(std::exchange(current_tape, nullptr)) {}

NoGrad::~NoGrad() { current_tape = previous_; }

}  // namespace autograd
