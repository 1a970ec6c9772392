// Short runs of pixpro pretrain on two ranks of mpirun, and what may happen to them.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "tests/apps/pretrain_runs.h"
#include "tests/apps/ranks/mpirun.h"

namespace apps {

// The number of the rank that a process is; -1 if it is none, or has ended.
inline int rank_of(pid_t process) {
  const std::string variables = '\0' + text_of("/proc/" + std::to_string(process) + "/environ");
  for (const char* name : {"OMPI_COMM_WORLD_RANK=", "PMI_RANK="}) {
    const size_t found = variables.find('\0' + std::string(name));
    if (found != std::string::npos) return std::atoi(&variables[found + 1 + strlen(name)]);
  }
  return -1;
}

// The processes of the program that an mpirun on this machine has started, by rank. MPICH starts
// them through a process of its own.
inline std::map<int, pid_t> ranks_of(pid_t mpirun) {
  std::map<pid_t, pid_t> parents;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = text_of(entry.path() / "stat");
    const size_t end = stat.rfind(')');  // of the program's name
    if (end != std::string::npos) parents[std::stoi(name)] = std::atoi(stat.c_str() + end + 4);
  }
  std::map<int, pid_t> ranks;
  for (const auto& [process, parent] : parents) {
    std::error_code gone;
    const fs::path program = fs::read_symlink("/proc/" + std::to_string(process) + "/exe", gone);
    const bool is_below =
        parent == mpirun || (parents.contains(parent) && parents[parent] == mpirun);
    if (!is_below || program != fs::canonical(PIXPRO_BINARY)) continue;
    if (const int rank = rank_of(process); rank >= 0) ranks[rank] = process;
  }
  return ranks;
}

// Waits until the condition holds, at most a minute.
inline void wait_until(const std::function<bool()>& condition) {
  const auto latest = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition() && std::chrono::steady_clock::now() < latest) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

class OnRanks : public Pretrain {
 protected:
  // Two ranks with two images each make the steps of one rank with four.
  std::vector<std::string> rank_arguments(const fs::path& out, int epochs,
                                          const std::vector<std::string>& more) const {
    std::vector<std::string> all = arguments(out, {"--threads", "1", "--num-workers", "1"}, epochs);
    all.insert(all.end(), {"--batch-size", "2"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  CommandResult train_on_two(const fs::path& out, int epochs = 2,
                             const std::vector<std::string>& more = {},
                             const std::function<void(pid_t)>& meanwhile = {}) const {
    return run_on_ranks(2, PIXPRO_BINARY, rank_arguments(out, epochs, more), meanwhile);
  }

  fs::path run(const std::string& name) const { return dir_.path() / name; }
  std::string weights(const std::string& name) const {
    return text_of(run(name) / "weights.safetensors");
  }
  int64_t steps_of(const std::string& name) const {
    return lines_of(text_of(run(name) / "metrics.jsonl"));
  }
};

}  // namespace apps
