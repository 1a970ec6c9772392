// The tape: a vector of nodes. Ops append to the thread's current tape. The backward sweep walks it
// once in reverse and destroys each node after running it, which frees what the node saved.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/var.h"

namespace autograd {

// What the tape asks of an op's backward for one input.
struct GradientRequest {
  bool wanted = false;  // false for a constant: the first convolution skips the image's gradient
  // The sum of the gradients that other uses of the input have delivered so far. The op may add its
  // own gradient to this tensor in place and return the tensor, which saves memory and a pass over
  // it. If it returns another tensor instead, the tape adds the two. Undefined if nothing has been
  // delivered or somebody else holds the memory.
  Tensor add_to{};
};
using GradientRequests = std::vector<GradientRequest>;  // one per input of the op, in order

// What backward returns: one gradient per input, undefined if none is wanted. A gradient has the
// shape, type and layout of its input.
using Gradients = std::vector<Tensor>;

struct Node {
  struct Saved {
    const engine::Buffer* buffer;  // identifies a tensor that several nodes save; not dereferenced
    int64_t bytes;
  };

  const char* op;
  std::vector<std::shared_ptr<GradSlot>> inputs;  // null for an optional input that is absent
  std::shared_ptr<GradSlot> output;
  std::function<Gradients(const Tensor& dy, const GradientRequests&)> backward;
  std::vector<Saved> saved;  // without parameters, which stay in memory anyway
};

class Tape {
 public:
  Tape();   // becomes this thread's current tape
  ~Tape();  // makes the previous tape current again
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // This thread's current tape, or null if nothing is being recorded.
  static Tape* current();

  // Appends a node and returns the Var of its output.
  Var append(Node node, Tensor output);

  // Adds to the gradient of every leaf that y depends on. `dy` is the gradient of y; without it y
  // must be a single element, and dy is 1. The tape is empty afterwards, even if an op throws.
  void backward(const Var& y);
  void backward(const Var& y, const Tensor& dy);

  // What has been recorded since the last sweep.
  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  void sweep();
  void forget();

  std::vector<Node> nodes_;
  Tape* previous_;
};

// While it exists, this thread records nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape* previous_;
};

// The tensors that a backward needs; it receives them in the same order. They are listed here
// instead of being captured so that a trace can count their bytes.
template <class... Tensors>
std::array<Tensor, sizeof...(Tensors)> save(const Tensors&... tensors) {
  return {tensors...};
}

// Whether the tensor is an input that is a leaf. Leaves stay in memory whether saved or not.
bool is_parameter_of(const std::vector<Var>& inputs, const Tensor& tensor);

// The last line of every op: wraps y in a Var, and appends a node if a tape is recording and an
// input needs a gradient. `backward` returns the Gradients. It is called as backward(dy, requests,
// saved...) or, if it does not look at the requests, as backward(dy, saved...). It may capture only
// options and shapes: a captured Var or Node would form a reference cycle, which is never freed.
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
                      const Tensor& dy, const GradientRequests& requests) -> Gradients {
    return std::apply(
        [&](const auto&... tensors) -> Gradients {
          if constexpr (std::is_invocable_v<const Backward&, const Tensor&, const GradientRequests&,
                                            decltype(tensors)...>) {
            return backward(dy, requests, tensors...);
          } else {
            return backward(dy, tensors...);
          }
        },
        saved);
  };
  return tape->append(std::move(node), std::move(y));
}

}  // namespace autograd
