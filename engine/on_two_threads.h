// Two independent pieces of work at the same time on a machine with two cores, the only kind this
// has been measured on.
#pragma once

#include <functional>

#include "engine/device.h"

namespace engine {

// Calls first() and second(). On the CPU with exactly two OpenMP threads they run at the same time,
// on one thread each; otherwise first() runs before second().
//
// A piece should be a long chain of kernels. On one thread they never wait for another core and
// find in its cache what the previous kernel wrote, and one piece computes while the other
// waits for memory.
//
// Both pieces see the caller's CpuSettings. The second one uses its own thread's caches, such as
// packed weights. CpuCounters of both are added to the caller's, and so are their profiles, in
// which a kernel that ran on one of the two threads counts half of its time. The exception of a
// piece reaches the caller, but not before the other one has ended if they run at the same time; if
// both throw, that of first() does.
void on_two_threads(Device device, const std::function<void()>& first,
                    const std::function<void()>& second);

}  // namespace engine
