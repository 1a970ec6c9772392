// Ranks that are threads of the test's process, with tensors on the CPU. Every collective is
// preceded by a short random sleep, so that ranks meet in ever different orders.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/ranks/communicator.h"

namespace test_support {

inline constexpr int kThreadRankLanes = 4;

// Calls body(communicator) at once on each of `ranks` threads, each with a single OpenMP thread.
// Returns the messages of their errors, "" for no error. A rank that throws makes all others throw
// from the collectives that they wait for. So do ranks whose collectives in a lane differ, and a
// rank that waits for longer than any test takes.
std::vector<std::string> errors_of_ranks(int ranks,
                                         const std::function<void(engine::Communicator&)>& body);

// The same, and expects that there are no errors.
void on_ranks(int ranks, const std::function<void(engine::Communicator&)>& body);

}  // namespace test_support
