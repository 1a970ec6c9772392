// How many CPU cores the process may really use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace engine {

struct Cores {
  int count = 1;      // at least 1
  std::string limit;  // what sets the count, for people: "2 cores", "a CPU quota of 1.5 cores"
};

// The smallest of: the cores of the process's affinity mask, the CPU quota of its cgroup and those
// above it (rounded down: a team of threads that wait for each other is as slow as the one that is
// stopped), and what OpenMP's environment variables allow (OMP_NUM_THREADS, OMP_THREAD_LIMIT).
Cores usable_cores();

// The quota in cores of the cgroups that /proc/self/cgroup (`membership`) names, versions 1 and 2,
// mounted at `root`, leave to the process. Returns nothing if there is no quota or it cannot be
// read.
std::optional<double> cpu_quota(const std::filesystem::path& membership,
                                const std::filesystem::path& root);

}  // namespace engine
