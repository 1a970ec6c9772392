// What a rank shares with the other ranks of its machine.
#pragma once

#include "engine/cpu/cores.h"
#include "engine/ranks/communicator.h"

namespace apps {

// Asks all ranks, which call this together; each is a process. device: where the communicator takes
// tensors.
engine::Sharing find_sharing(engine::Communicator& ranks, engine::Device device);

}  // namespace apps
