// The control groups (cgroups) through which Linux limits what a process may use.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace engine {

struct CGroup {
  std::filesystem::path folder;  // holds the files of the group
  int version;                   // 1 or 2: which names they have
};

// The groups that limit a process in what `controller` ("cpu", "memory") is about: its own and
// those above it. membership: /proc/self/cgroup, or a file like it; root: where the groups are
// mounted, usually /sys/fs/cgroup. Empty if the file cannot be read.
inline std::vector<CGroup> cgroups_of(const std::string& controller,
                                      const std::filesystem::path& membership,
                                      const std::filesystem::path& root) {
  std::vector<CGroup> groups;
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "4:cpu,cpuacct:/a/b" or "0::/a/b"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version_2 = controllers.empty();
    if (!version_2 && ("," + controllers + ",").find("," + controller + ",") == std::string::npos) {
      continue;
    }
    // In a container the path may be that of the host, which is not visible. Then only the last
    // group of the walk exists: the mount, which is the container's own group.
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (;; group = group.parent_path()) {
      groups.push_back({root / controllers / group, version_2 ? 2 : 1});
      if (group.empty()) break;
    }
  }
  return groups;
}

}  // namespace engine
