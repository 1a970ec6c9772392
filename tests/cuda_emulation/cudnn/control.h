// What tests tell the emulation of cuDNN (control.h has the rest).
#pragma once

#include <cstdint>

namespace cuda_emulation {

// The device whose properties cuDNN plans for; an H100 unless told otherwise. Plans made before
// keep theirs.
enum class Gpu : uint8_t { a100, h100 };
void plan_for(Gpu gpu);

// The next `count` execution plans are refused as unsupported, which cuDNN may do with any
// configuration that its heuristics propose.
void refuse_plans(int count);

}  // namespace cuda_emulation
