// Moves the data of collectives through shared memory.
#pragma once

#include <nccl.h>

#include <cstddef>

#include "tests/cuda_emulation/nccl/rendezvous.h"

namespace cuda_emulation {

size_t bytes_of(ncclDataType_t type);  // of one element; 0 if the type is not emulated

// Exchanges the data of all ranks, which must all call this with the same collective. Sums are
// taken in the order of ranks; those of 16-bit types in f32, rounded once. Releases the emulator's
// lock while it waits. Returns false if a rank leaves before the end.
bool exchange_parts(Rendezvous& rendezvous, const Collective& collective, const void* send,
                    void* receive);

}  // namespace cuda_emulation
