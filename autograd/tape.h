// The tape: a vector of nodes. Ops append to the thread's current tape; backward walks it once in
// reverse, and every node dies as it has run and frees what it saved.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace autograd {

// One gradient for each input of an op, in order; undefined where none is needed. A gradient has
// the shape, type and layout of its input.
using Gradients = std::vector<Tensor>;
// Which inputs want a gradient (the first convolution skips the image's), and the gradient that has
// gathered at them already where nobody else holds it: an op may add its own to it and return that.
struct Needs {
  std::vector<bool> wanted;
  std::vector<Tensor> gathered;  // undefined where there is none

  bool operator[](size_t input) const { return wanted[input]; }
};

struct Node {
  struct Saved {
    const engine::Buffer* buffer;  // tells tensors saved by several nodes apart; never followed
    int64_t bytes;
  };

  const char* op;
  std::vector<std::shared_ptr<GradSlot>> inputs;  // null for an optional input that is absent
  std::shared_ptr<GradSlot> output;
  std::function<Gradients(const Tensor& dy, const Needs&)> backward;
  std::vector<Saved> saved;  // without parameters, which stay in memory anyway
};

class Tape {
 public:
  Tape();   // becomes the tape on which this thread records
  ~Tape();  // gives way to the one before
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // The tape of this thread, or null: nothing is recorded.
  static Tape* current();

  // Appends a node and returns the Var of its output.
  Var append(Node node, Tensor output);

  // Fills the gradient of every leaf that y depends on. `dy` is the gradient of y; without it y
  // must be a single element and gets 1. The tape is empty afterwards, whatever happens.
  void backward(const Var& y);
  void backward(const Var& y, const Tensor& dy);

  // What has been recorded and not yet swept.
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  void sweep();
  void forget();

  std::vector<Node> nodes_;
  Tape* previous_;
};

// While one lives, this thread records nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape* previous_;
};

// The tensors a backward needs, handed to it in the same order. Saved here and not in a capture, a
// trace can tell their bytes.
template <class... Tensors>
std::array<Tensor, sizeof...(Tensors)> save(const Tensors&... tensors) {
  return {tensors...};
}

// Is the tensor one of the inputs that are leaves? Those live on whether they are saved or not.
bool is_parameter_of(const std::vector<Var>& inputs, const Tensor& tensor);

// What every op ends with: wraps y in a Var and, where a tape is recording and an input needs a
// gradient, appends the node. backward(dy, needs, saved...) returns the Gradients. It captures
// options and shapes only; a captured Var or Node would be a cycle that never dies.
template <size_t N, class Backward>
Var record(const char* op, const std::vector<Var>& inputs, Tensor y, std::array<Tensor, N> saved,
           Backward backward) {
  Tape* tape = Tape::current();
  bool needed = false;
  for (const Var& input : inputs) needed = needed || input.needs_grad();
  if (tape == nullptr || !needed) return Var(std::move(y));

  Node node{.op = op, .inputs = {}, .output = nullptr, .backward = nullptr, .saved = {}};
  for (const Var& input : inputs) node.inputs.push_back(input.slot());
  for (const Tensor& tensor : saved) {
    if (tensor.defined() && !is_parameter_of(inputs, tensor)) {
      node.saved.push_back({tensor.buffer(), tensor.bytes()});
    }
  }
  node.backward = [saved = std::move(saved), backward = std::move(backward)](
                      const Tensor& dy, const Needs& needs) -> Gradients {
    return std::apply([&](const auto&... tensors) { return backward(dy, needs, tensors...); },
                      saved);
  };
  return tape->append(std::move(node), std::move(y));
}

}  // namespace autograd
