// The communicator of the processes that run the tests.
#pragma once

#include <chrono>

#include "engine/ranks/mpi.h"

inline constexpr int kMpiLanes = 4;
inline constexpr std::chrono::seconds kMpiPatience{4};

engine::Communicator& mpi_ranks();
