// Module: a part of a network with named parameters and buffers. The names are those of PyTorch's
// state_dict, joined by dots: "layer1.0.conv1.weight".
#pragma once

#include <string>
#include <vector>

#include "autograd/ops.h"

namespace layers {

using autograd::Var;
using engine::DType;
using engine::Shape;
using engine::Tensor;

struct NamedVar {
  std::string name;
  Var var;
};
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Which statistics BatchNorm uses: in training those of the batch, separately for each of `parts`
// equal parts of it, otherwise the running estimates. If the batch is spread over ranks, the
// statistics in training are those of all ranks, exchanged on this lane (see autograd::BatchNorm).
struct Mode {
  bool training = true;
  int64_t parts = 1;
  engine::Communicator* ranks = nullptr;
};

class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;  // a parent points at its children
  Module& operator=(const Module&) = delete;

  // In the order of registration, the module's own before its children's. The handles share memory
  // with the module: writing into them changes it, assigning to them does not.
  std::vector<NamedVar> parameters() const;
  std::vector<NamedTensor> buffers() const;  // running estimates: saved, not trained

  // Turns every parameter into a constant.
  void freeze();

 protected:
  Module() = default;
  Var add_parameter(std::string name, Tensor value);
  Tensor add_buffer(std::string name, Tensor value);
  // `child` is a member of this module. If `name` is empty, the child's parameters are named as if
  // they were this module's own.
  void add_child(std::string name, Module& child);

 private:
  struct Child {
    std::string name;
    Module* module;
  };
  std::vector<NamedVar> parameters_;
  std::vector<NamedTensor> buffers_;
  std::vector<Child> children_;
};

// Parameters and buffers under their names, for a tensor file. Shares the module's memory.
std::vector<NamedTensor> state_of(const Module& module);

// Copies every parameter of `source`, but no buffer, to the one at the same position in `target`.
// Throws if the numbers of parameters differ.
void copy_parameters(const Module& source, Module& target);

}  // namespace layers
