// What a rank shares with the other ranks of its machine.
#pragma once

#include "engine/cpu/cores.h"
#include "engine/ranks/communicator.h"

namespace apps {

// All ranks call this together. Each is a process of its own. The communicator takes tensors on
// `device`.
engine::Sharing find_sharing(engine::Communicator& ranks, engine::Device device);

}  // namespace apps
