#include "engine/memory_limits.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

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

// The files of a control group that tell its limit, its use, and the cached files in that.
struct GroupFiles {
  std::string root, limit, use, stat, cached;
};
const GroupFiles kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current", "memory.stat",
                           "file "};
const GroupFiles kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                           "memory.usage_in_bytes", "memory.stat", "total_cache "};

// What a group and those that contain it leave to this process, in all or now.
int64_t left_by(const GroupFiles& files, const std::string& group, bool now) {
  int64_t left = kUnlimited;
  for (fs::path path = fs::path(group).relative_path();; path = path.parent_path()) {
    const fs::path folder = fs::path(files.root) / path;
    if (const auto limit = number_in(folder / files.limit)) {
      const int64_t used = number_in(folder / files.use).value_or(0) -
                           number_in(folder / files.stat, files.cached).value_or(0);
      left = std::min(left, now ? *limit - used : *limit);
    }
    if (path.empty()) return left;
  }
}

// A line is "0::/group" or "4:memory:/group". Inside a container the group may be out of sight;
// then its files are in the root.
int64_t left_by_groups(bool now) {
  int64_t left = kUnlimited;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t name = line.find(':') + 1, path = line.find(':', name) + 1;
    const std::string controllers = line.substr(name, path - name - 1);
    if (controllers.empty()) left = std::min(left, left_by(kVersion2, line.substr(path), now));
    if (controllers == "memory") left = std::min(left, left_by(kVersion1, line.substr(path), now));
  }
  return left;
}

int64_t of_machine(const std::string& key) {
  return number_in("/proc/meminfo", key).value_or(kUnlimited >> 10) << 10;  // it counts in KiB
}

}  // namespace

int64_t total_memory() { return std::min(of_machine("MemTotal:"), left_by_groups(false)); }

int64_t available_memory() { return std::min(of_machine("MemAvailable:"), left_by_groups(true)); }

}  // namespace engine
