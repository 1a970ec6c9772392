#include "engine/cpu/memory_limits.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "engine/cpu/cgroups.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// The number after a key at the beginning of a line; without a key, the one that the file holds.
// None if there is no such file or number ("max").
std::optional<int64_t> number_in(const fs::path& path, const std::string& key = "") {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    char* end = nullptr;
    const char* begin = line.c_str() + key.size();
    const int64_t number = std::strtoll(begin, &end, 10);
    if (end != begin) return number;
  }
  return std::nullopt;
}

// The files of a cgroup that tell its limit, its use, and the cached files in that.
struct GroupFiles {
  const char *limit, *use, *cached;  // the last is a key in memory.stat
};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache "};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "file "};

void limit_by(const CGroup& group, MemoryLimits& limits) {
  const GroupFiles& files = group.version == 1 ? kVersion1 : kVersion2;
  const auto limit = number_in(group.folder / files.limit);
  if (!limit) return;
  const int64_t used = number_in(group.folder / files.use).value_or(0) -
                       number_in(group.folder / "memory.stat", files.cached).value_or(0);
  limits.total = std::min(limits.total, *limit);
  limits.available = std::min(limits.available, std::max<int64_t>(*limit - used, 0));
}

}  // namespace

MemoryLimits group_memory(const fs::path& membership, const fs::path& root) {
  MemoryLimits limits{kUnlimited, kUnlimited};
  for (const CGroup& group : cgroups_of("memory", membership, root)) limit_by(group, limits);
  return limits;
}

MemoryLimits memory_limits() {
  MemoryLimits limits = group_memory("/proc/self/cgroup", "/sys/fs/cgroup");
  const auto machine = [](const char* key) {  // which counts in KiB
    return number_in("/proc/meminfo", key).value_or(kUnlimited >> 10) << 10;
  };
  limits.total = std::min(limits.total, machine("MemTotal:"));
  limits.available = std::min(limits.available, machine("MemAvailable:"));
  return limits;
}

}  // namespace engine
