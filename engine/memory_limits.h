// How much memory this process may use: that of the machine, or less if its control group (a
// container, a batch job) has a limit.
#pragma once

#include <cstdint>

namespace engine {

int64_t total_memory();  // bytes

// Bytes that can still be taken without swapping. Files that the system caches count as free.
int64_t available_memory();

}  // namespace engine
