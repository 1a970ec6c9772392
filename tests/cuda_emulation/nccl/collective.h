// The data of collectives, on its way through shared memory.
#pragma once

#include <nccl.h>

#include <cstddef>

#include "tests/cuda_emulation/nccl/rendezvous.h"

namespace cuda_emulation {

size_t bytes_of(ncclDataType_t type);  // 0: not emulated

// Brings the parts of all ranks together, sums in the order of ranks: in f32 for the half types,
// rounded once. All ranks call it with the same collective. Gives the emulator's lock up while it
// waits. False where a rank leaves in the middle.
bool exchange_parts(Rendezvous& rendezvous, const Collective& collective, const void* send,
                    void* receive);

}  // namespace cuda_emulation
