// Module: a part of a network with named parameters and buffers. Names are those of PyTorch's
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

// How a network runs: with the statistics of the batch (a stack of `parts` equal parts, each with
// its own) or with the running estimates.
struct Mode {
  bool training = true;
  int64_t parts = 1;
};

class Module {
 public:
  virtual ~Module() = default;
  Module(const Module&) = delete;  // children and parents know each other by address
  Module& operator=(const Module&) = delete;

  // In the order of registration, children after own ones. The handles share memory with the
  // module: writing into them (never replacing them) changes the module.
  std::vector<NamedVar> parameters() const;
  std::vector<NamedTensor> buffers() const;  // running estimates: saved, not trained

  // Turns every parameter into a constant.
  void freeze();

 protected:
  Module() = default;
  Var add_parameter(std::string name, Tensor value);
  Tensor add_buffer(std::string name, Tensor value);
  // `child` is a member of this module. Without a name its parameters count as this module's own.
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

// Parameters (and buffers) under their names, for a tensor file. The tensors share the module's
// memory.
std::vector<NamedTensor> state_of(const Module& module);

// Overwrites source's counterpart in target: every parameter (not the buffers), by position.
void copy_parameters(const Module& source, Module& target);

}  // namespace layers
