// How much memory the process may use.
#pragma once

#include <cstdint>
#include <filesystem>

namespace engine {

struct MemoryLimits {
  int64_t total;      // bytes
  int64_t available;  // bytes that can still be taken; files that the system caches count as free
};

// The machine's memory, or less if the process's cgroup or one above it has a limit.
MemoryLimits memory_limits();

// What the cgroups that /proc/self/cgroup (`membership`) names, versions 1 and 2, mounted at
// `root`, leave to the process. The largest numbers if there is no limit or none can be read.
MemoryLimits group_memory(const std::filesystem::path& membership,
                          const std::filesystem::path& root);

}  // namespace engine
