#include "engine/files/process.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <vector>

#include "engine/random.h"

namespace engine {
namespace {

std::string text_in(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string host_name() {
  std::array<char, 65> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  std::string host = name.data();
  for (char& letter : host) {
    if (letter == '/' || letter <= ' ') letter = '_';  // the name becomes part of file names
  }
  return host;
}

uint32_t this_system() {
  std::error_code ignored;
  const auto pids = std::filesystem::read_symlink("/proc/self/ns/pid", ignored);
  return static_cast<uint32_t>(
      hash_name(text_in("/proc/sys/kernel/random/boot_id") + pids.string()));
}

// Field 22 of /proc/PID/stat; the command in field 2 may contain spaces and parentheses. 0 if there
// is no such process, or if it has ended and only its parent has not noticed yet (Z, X).
uint64_t start_of(int64_t pid) {
  const std::string stat = text_in("/proc/" + std::to_string(pid) + "/stat");
  const size_t command_end = stat.rfind(')');
  if (command_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(command_end + 1));
  std::string state, skipped;
  fields >> state;
  if (state == "Z" || state == "X") return 0;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  uint64_t start = 0;
  fields >> start;
  return start;
}

template <class T>
bool parse_number(std::string_view text, T& number, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc() && next == end;
}

}  // namespace

ProcessId this_process() {
  static const uint32_t system = this_system();
  static const std::string host = host_name();
  const int64_t pid = getpid();
  return {pid, start_of(pid), system, host};
}

std::string text_of(const ProcessId& process) {
  std::ostringstream text;
  text << process.pid << '.' << process.started << '.' << std::hex << process.system << '.'
       << process.host;
  return text.str();
}

std::optional<ProcessId> parse_process(std::string_view text) {
  std::array<std::string_view, 3> numbers;
  for (std::string_view& number : numbers) {
    const size_t dot = text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    number = text.substr(0, dot);
    text.remove_prefix(dot + 1);
  }
  ProcessId process;
  process.host = text;
  const bool valid = parse_number(numbers[0], process.pid) &&
                     parse_number(numbers[1], process.started) &&
                     parse_number(numbers[2], process.system, 16) && !text.empty();
  return valid ? std::optional(process) : std::nullopt;
}

std::optional<bool> is_running(const ProcessId& process) {
  const ProcessId here = this_process();
  // Without /proc nothing is known about other processes.
  if (here.started == 0 || process.system != here.system) return std::nullopt;
  return start_of(process.pid) == process.started;
}

}  // namespace engine
