// Host code that touches device memory, [begin, end), ends the program with a segmentation fault.
// This makes it print the reason first.
#pragma once

namespace cuda_emulation {

void explain_host_access(const char* begin, const char* end);

}  // namespace cuda_emulation
