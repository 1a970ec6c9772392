#include "engine/cpu/cores.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "engine/cpu/cgroups.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

// The first words of a file, or empty ones if it cannot be read.
std::pair<std::string, std::string> two_words(const fs::path& path) {
  std::pair<std::string, std::string> words;
  std::ifstream(path) >> words.first >> words.second;
  return words;
}

std::optional<double> number(const std::string& text) {
  std::istringstream in(text);
  double value = 0.0;
  return in >> value && value > 0.0 ? std::optional(value) : std::nullopt;
}

// The quota of one cgroup: "max 100000" or "150000 100000" in cpu.max (version 2); version 1 has a
// file for each number, and -1 for no quota.
std::optional<double> quota_of(const CGroup& group) {
  auto [quota, period] = two_words(group.folder / "cpu.max");
  if (group.version == 1) {
    quota = two_words(group.folder / "cpu.cfs_quota_us").first;
    period = two_words(group.folder / "cpu.cfs_period_us").first;
  }
  const std::optional<double> micros = number(quota), of = number(period);
  return micros && of ? std::optional(*micros / *of) : std::nullopt;
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
}

std::string for_ranks(int ranks) {
  return ranks > 1 ? " for " + std::to_string(ranks) + " ranks" : std::string();
}

}  // namespace

std::optional<double> cpu_quota(const fs::path& membership, const fs::path& root) {
  std::optional<double> least;
  for (const CGroup& group : cgroups_of("cpu", membership, root)) {
    if (const auto quota = quota_of(group)) least = std::min(least.value_or(*quota), *quota);
  }
  return least;
}

Cores usable_cores(const Sharing& sharing) {
  const int affinity = affinity_cores();
  Cores cores{
      std::max(1, affinity / sharing.cores),
      std::to_string(affinity) + (affinity == 1 ? " core" : " cores") + for_ranks(sharing.cores)};
  if (const auto quota = cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup")) {
    const int whole = std::max(1, static_cast<int>(*quota / sharing.machine));
    std::ostringstream text;
    text << "a CPU quota of " << *quota << " cores" << for_ranks(sharing.machine);
    if (whole < cores.count) cores = {whole, text.str()};
  }
  const int asked = omp_get_max_threads(), limit = omp_get_thread_limit();
  if (asked < cores.count) cores = {asked, "OMP_NUM_THREADS"};
  if (limit < cores.count) cores = {limit, "OMP_THREAD_LIMIT"};
  return cores;
}

std::array<uint64_t, 16> core_mask() {
  std::array<uint64_t, 16> words{};
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    words.fill(~uint64_t{0});
    return words;
  }
  for (size_t core = 0; core < std::min<size_t>(CPU_SETSIZE, 64 * words.size()); ++core) {
    if (CPU_ISSET(core, &set)) words[core / 64] |= uint64_t{1} << core % 64;
  }
  return words;
}

}  // namespace engine
