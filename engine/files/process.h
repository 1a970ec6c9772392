// Which process made a file, and whether it is still there. Temporary files and locks carry this,
// so that what a killed process leaves behind can be told from what a living one needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace engine {

struct ProcessId {
  int64_t pid = 0;
  uint64_t started = 0;  // clock ticks after the boot; tells processes with the same pid apart
  uint32_t system = 0;   // hash of boot and pid namespace; pids are comparable only within one
  std::string host;

  bool operator==(const ProcessId&) const = default;
};

ProcessId this_process();

// "1234.88231.9f3a6c21.node7", usable as part of a file name, and back. Nothing if the text is not
// one.
std::string text_of(const ProcessId& process);
std::optional<ProcessId> parse_process(std::string_view text);

// Whether the process is running. Nothing if this cannot be known, because it runs, or ran, on
// another machine, in another container or before the last boot.
std::optional<bool> is_running(const ProcessId& process);

}  // namespace engine
