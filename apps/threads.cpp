#include "apps/threads.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace apps {
namespace {

// The command line that this process was started with.
std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

}  // namespace

Threads use_threads(int wanted, const engine::Sharing& sharing) {
  omp_set_dynamic(0);
  const engine::Cores cores = engine::usable_cores(sharing);
  Threads threads{cores.count, cores.limit};
  if (wanted > 0) {
    const int limit = omp_get_thread_limit();
    threads = {std::min(wanted, limit), wanted > limit ? "OMP_THREAD_LIMIT" : "--threads"};
  }
  omp_set_num_threads(threads.count);
  return threads;
}

void sleep_if_cores_are_short(int busy) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (busy <= engine::usable_cores().count) return;
  // Turns of an empty loop, about 20 microseconds. Measured on two cores with two threads and four
  // workers: as fast as spinning for long if nothing else runs, 2 to 3 times as fast if it does.
  setenv("GOMP_SPINCOUNT", "1000", 1);
  std::vector<std::string> words = command_line();
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  if (!words.empty()) execv("/proc/self/exe", argv.data());
  // Without /proc the program cannot start itself anew, so it goes on and its threads spin.
}

}  // namespace apps
