// Says what happened when host code touches device memory, before the program ends by it.
#pragma once

namespace cuda_emulation {

void explain_host_access(const char* begin, const char* end);

}  // namespace cuda_emulation
