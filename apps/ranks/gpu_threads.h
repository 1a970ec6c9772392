// Ranks that are threads of this process, one per GPU, with NCCL between them.
#pragma once

#include <functional>
#include <vector>

#include "engine/ranks/communicator.h"

namespace apps {

// Calls job(communicator, device) on one thread for each device, all at once, and returns when all
// threads have ended. If a job throws, the communicators of all others are aborted, and the first
// error is thrown as "rank 2: MESSAGE". If a thread cannot join the others, which NCCL may not let
// go, that line is printed and the process ends. EndedTogether aborts nothing; it is thrown if
// nothing else was.
using GpuJob = std::function<void(engine::Communicator& ranks, engine::Device device)>;
void on_gpu_threads(const std::vector<engine::Device>& devices, int lanes, const GpuJob& job);

}  // namespace apps
