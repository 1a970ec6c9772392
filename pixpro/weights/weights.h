// A network's parameters and buffers in tensor files, under their published names.
#pragma once

#include <string>
#include <vector>

#include "engine/files/tensor_file.h"
#include "layers/module.h"

namespace pixpro {

// The parameters and buffers of the module; shares their memory.
engine::TensorFile weights_of(const layers::Module& module);

// Throws Error naming the tensor where it is missing or holds a value that is no finite number.
void require_finite(const engine::TensorFile& file, const std::string& name);

// Overwrites every target with the file's tensor of its name, converted to the target's type.
// Throws Error on a missing tensor or a wrong shape, naming it, what is expected and what is found;
// nothing is changed then.
void overwrite(const std::vector<layers::NamedTensor>& targets, const engine::TensorFile& file);

// Overwrites every parameter and buffer of the module with the file's tensor of its name, see
// above. Buffers the file does not have keep their values. Returns the names of file entries the
// module has no place for and of buffers that were kept.
struct LoadReport {
  std::vector<std::string> unused, kept;
};
LoadReport load_weights(const engine::TensorFile& file, layers::Module& module);

}  // namespace pixpro
