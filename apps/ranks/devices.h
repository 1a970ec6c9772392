// The devices that --device names.
#pragma once

#include <string>
#include <vector>

#include "engine/device.h"

namespace apps {

// Reads "cpu", "cuda" (GPU 0), "cuda:2", "cuda:0-7", "cuda:0,2-4" or "cuda:all", on a machine with
// this many GPUs. Returns at least one device, in the order in which they are named. Throws
// BadStart on anything else, and if a GPU is not there or named twice.
std::vector<engine::Device> parse_devices(const std::string& text, int gpus);

}  // namespace apps
