// Texts between ranks, for what hosts decide: settings, names of files, errors.
#pragma once

#include <string>
#include <vector>

#include "engine/ranks/communicator.h"

namespace engine {

// All ranks call these together, on the same lane. The communicator takes tensors on `device`, for
// which they wait.

// The text of rank 0; that of the others does not matter.
std::string text_of_rank_zero(Communicator& lane, Device device, const std::string& text);
// The texts of all ranks, in their order.
std::vector<std::string> texts_of_ranks(Communicator& lane, Device device, const std::string& text);

}  // namespace engine
