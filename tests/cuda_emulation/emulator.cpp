#include "tests/cuda_emulation/emulator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <string_view>
#include <utility>

#include "tests/cuda_emulation/control.h"
#include "tests/cuda_emulation/sanitizers.h"

namespace cuda_emulation {
namespace {

struct State {
  std::vector<std::string> findings;
  std::map<const void*, std::string> live;
  std::map<std::string, int64_t> calls;
  int64_t all_calls = 0;

  std::string failing;  // the function to fail, "" for any
  int64_t calls_until_failure = 0;
  bool failed = false;
};

// Never destroyed: destructors of static objects may free the last objects of the program under
// test.
State& state() {
  static State& state = *new State;
  return state;
}

std::string_view environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// The value that a variable names; the first one if it is not set. A name that does not exist would
// silently test something else, so it ends the program.
template <class T>
T chosen(const char* variable, std::initializer_list<std::pair<std::string_view, T>> values) {
  const std::string_view name = environment(variable, values.begin()->first.data());
  for (const auto& [known, value] : values) {
    if (name == known) return value;
  }
  std::fprintf(stderr, "cuda emulation: %s has the unknown value '%s'\n", variable, name.data());
  std::_Exit(EXIT_FAILURE);
}

Options options_from_environment() {
  return {.order = chosen<Order>("CUDA_EMULATION_ORDER", {{"forward", Order::forward},
                                                          {"reverse", Order::reverse},
                                                          {"random", Order::random}}),
          .seed = std::strtoull(environment("CUDA_EMULATION_SEED", "1").data(), nullptr, 10),
          .streams = chosen<Streams>(
              "CUDA_EMULATION_STREAMS",
              {{"lazy", Streams::lazy}, {"eager", Streams::eager}, {"racing", Streams::racing}})};
}

}  // namespace

Lock& emulator_lock() {
  static Lock& lock = *new Lock;
  return lock;
}

Options& options() {
  static Options options = options_from_environment();
  return options;
}

namespace {

// A program in which an error was found must not end successfully. Streams may live as long as the
// program.
void check_at_exit() {
  size_t wrong = state().findings.size();
  if (environment("CUDA_EMULATION_LEAKS", "ignore") == "fail") {
    for (const auto& [object, what] : state().live) {
      if (what == kStream) continue;
      std::fprintf(stderr, "cuda emulation: never freed: %s\n", what.c_str());
      ++wrong;
    }
  }
  if (wrong == 0) return;
  std::fprintf(stderr, "cuda emulation: %zu errors found\n", wrong);
  std::fflush(nullptr);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

bool count_call(const char* function) {
  [[maybe_unused]] static const int registered = std::atexit(check_at_exit);
  acquire_order_of_actors();
  State& s = state();
  ++s.calls[function];
  ++s.all_calls;
  if (s.calls_until_failure == 0 || (!s.failing.empty() && s.failing != function)) return false;
  if (--s.calls_until_failure > 0) return false;
  s.failed = true;
  return true;
}

void add_finding(const std::string& text) {
  std::fprintf(stderr, "cuda emulation: %s\n", text.c_str());
  state().findings.push_back(text);
}

cudaError_t device_state() {
  return state().findings.empty() ? cudaSuccess : cudaErrorIllegalAddress;
}

std::vector<std::string> take_findings() {
  const std::lock_guard lock(emulator_lock());
  return std::exchange(state().findings, {});
}

void fail_call(const std::string& function, int64_t nth) {
  const std::lock_guard lock(emulator_lock());
  state().failing = function;
  state().calls_until_failure = nth;
  state().failed = false;
}

void fail_no_call() { fail_call("", 0); }

bool failure_happened() {
  const std::lock_guard lock(emulator_lock());
  return state().failed;
}

int64_t call_count(const std::string& function) {
  const std::lock_guard lock(emulator_lock());
  return function.empty() ? state().all_calls : state().calls[function];
}

void add_live(const void* object, const std::string& what) { state().live[object] = what; }
void remove_live(const void* object) { state().live.erase(object); }
bool is_live(const void* object) { return state().live.contains(object); }

std::vector<std::string> live_objects() {
  const std::lock_guard lock(emulator_lock());
  std::vector<std::string> lines;
  for (const auto& [object, what] : state().live) lines.push_back(what);
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace cuda_emulation
