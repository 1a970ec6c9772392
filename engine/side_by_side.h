// Two independent pieces of work at the same time.
#pragma once

#include <functional>

namespace engine {

// Calls first() and second(), with two OpenMP threads at the same time on one each, otherwise one
// after the other: more threads are better used within a kernel. On one thread a long chain of
// kernels never waits for the other core, finds in its own cache what the kernel before has
// written, and one piece computes while the other waits for memory. The second piece sees the
// CpuContext's settings and its thread's own caches; what it counts and profiles is added to the
// caller's, where a kernel on one of two threads takes half of its time. An exception of either
// reaches the caller when both are done.
void side_by_side(const std::function<void()>& first, const std::function<void()>& second);

}  // namespace engine
