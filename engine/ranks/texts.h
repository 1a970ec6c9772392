// Texts between ranks, for what hosts decide: settings, names of files, errors.
#pragma once

#include <string>
#include <vector>

#include "engine/ranks/communicator.h"

namespace engine {

// Every rank calls these at the same time on the same lane. device: where the communicator takes
// tensors. They wait for the device.

// The text of rank 0; that of the others does not matter.
std::string text_of_rank_zero(Communicator& lane, Device device, const std::string& text);
// The texts of all ranks, in their order.
std::vector<std::string> texts_of_ranks(Communicator& lane, Device device, const std::string& text);

}  // namespace engine
