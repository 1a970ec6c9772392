// How tests control the emulation of cuDNN. tests/cuda_emulation/control.h has the rest.
#pragma once

#include <cstdint>

namespace cuda_emulation {

// Sets the device that cuDNN plans for; by default an H100. Existing plans keep theirs.
enum class Gpu : uint8_t { a100, h100 };
void plan_for(Gpu gpu);

// Makes cuDNN refuse the next `count` execution plans as unsupported, as it may refuse any
// configuration that its heuristics propose.
void refuse_plans(int count);

}  // namespace cuda_emulation
