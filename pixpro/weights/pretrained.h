// Starts the training of a network from weights that another run has learnt.
#pragma once

#include <string>
#include <vector>

#include "engine/files/tensor_file.h"
#include "layers/module.h"

namespace pixpro {

struct StartReport {
  std::vector<std::string> missing;  // tensors of the model that keep their initial values
  std::vector<std::string> unused;   // tensors of the file that the model does not have
};

// Overwrites the parameters and buffers of a pixpro::Model with the file's tensors of the same
// names, converted to the model's types. The file holds the weights of a run, a checkpoint, or the
// backbone alone, whose names may then lack "encoder.". What it lacks of the momentum encoder is
// taken from the online encoder in the file. Throws Error, and changes nothing, if a tensor has
// another shape or holds a value that is not a finite number, or if no tensor fits.
StartReport start_from(const engine::TensorFile& file, layers::Module& model);

}  // namespace pixpro
