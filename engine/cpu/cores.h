// How many CPU cores the process may really use.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace engine {

struct Cores {
  int count = 1;      // at least 1
  std::string limit;  // what sets the count, for people: "2 cores", "8 cores for 4 ranks"
};

// How many ranks of a run, this one included, share what.
struct Sharing {
  int cores = 1;    // ranks that may run on the cores of this process's affinity mask
  int machine = 1;  // ranks on this machine, which share its CPU quota
};

// The smallest of: the cores of the process's affinity mask, the CPU quota of its cgroup and those
// above it (rounded down: a team of threads that wait for each other is as slow as the one that is
// stopped), and what OpenMP's environment variables allow (OMP_NUM_THREADS, OMP_THREAD_LIMIT).
// Ranks that share cores or the quota get equal parts. OpenMP's variables are for each process.
Cores usable_cores(const Sharing& sharing = {});

// The cores of the calling thread's affinity mask, as bits: core i is bit i % 64 of word i / 64.
// All cores if the mask cannot be read.
std::array<uint64_t, 16> core_mask();

// The quota in cores of the cgroups that /proc/self/cgroup (`membership`) names, versions 1 and 2,
// mounted at `root`, leave to the process. Returns nothing if there is no quota or it cannot be
// read.
std::optional<double> cpu_quota(const std::filesystem::path& membership,
                                const std::filesystem::path& root);

}  // namespace engine
