// A network's parameters and buffers in tensor files, under their published names.
#pragma once

#include <string>
#include <vector>

#include "engine/files/tensor_file.h"
#include "layers/module.h"

namespace pixpro {

// The parameters and buffers of the module. Shares the module's memory.
engine::TensorFile weights_of(const layers::Module& module);

// Throws Error, naming the tensor, if it is missing or holds a value that is not a finite number.
void require_finite(const engine::TensorFile& file, const std::string& name);

// Overwrites every target with the file's tensor of the same name, converted to the target's type.
// If a tensor is missing or has a wrong shape, changes nothing and throws Error, which names the
// tensor, what was expected and what was found.
void overwrite(const std::vector<layers::NamedTensor>& targets, const engine::TensorFile& file);

struct LoadReport {
  std::vector<std::string> unused;  // tensors of the file that the module has no use for
  std::vector<std::string> kept;    // buffers of the module that the file does not have
};
// Overwrites every parameter and buffer of the module with the file's tensor of the same name, as
// above. Unlike a parameter, a buffer may be missing in the file; it keeps its value.
LoadReport load_weights(const engine::TensorFile& file, layers::Module& module);

}  // namespace pixpro
