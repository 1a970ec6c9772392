#include "layers/module.h"

#include "engine/tensor_ops.h"

namespace layers {
namespace {

std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

}  // namespace

std::vector<NamedVar> Module::parameters() const {
  std::vector<NamedVar> all = parameters_;
  for (const Child& child : children_) {
    for (NamedVar& p : child.module->parameters()) {
      all.push_back({join(child.name, p.name), p.var});
    }
  }
  return all;
}

std::vector<NamedTensor> Module::buffers() const {
  std::vector<NamedTensor> all = buffers_;
  for (const Child& child : children_) {
    for (NamedTensor& b : child.module->buffers()) {
      all.push_back({join(child.name, b.name), b.tensor});
    }
  }
  return all;
}

void Module::freeze() {
  for (NamedVar& p : parameters()) p.var.freeze();
}

Var Module::add_parameter(std::string name, Tensor value) {
  parameters_.push_back({std::move(name), Var::leaf(std::move(value))});
  return parameters_.back().var;
}

Tensor Module::add_buffer(std::string name, Tensor value) {
  buffers_.push_back({std::move(name), std::move(value)});
  return buffers_.back().tensor;
}

void Module::add_child(std::string name, Module& child) {
  children_.push_back({std::move(name), &child});
}

std::vector<NamedTensor> state_of(const Module& module) {
  std::vector<NamedTensor> state;
  for (const NamedVar& p : module.parameters()) state.push_back({p.name, p.var.value()});
  for (const NamedTensor& b : module.buffers()) state.push_back(b);
  return state;
}

void copy_parameters(const Module& source, Module& target) {
  const std::vector<NamedVar> from = source.parameters(), to = target.parameters();
  engine::require(from.size() == to.size(), "copy_parameters: expected ", from.size(),
                  " parameters, found ", to.size());
  for (size_t i = 0; i < from.size(); ++i) {
    Tensor value = to[i].var.value();
    engine::copy_into(from[i].var.value(), value);
  }
}

}  // namespace layers
