#include "apps/flags/reading.h"

#include <algorithm>
#include <chrono>

#include "apps/console.h"
#include "engine/cpu/memory_limits.h"

namespace apps {

void add_reading_flags(Command& command, ReadingFlags& flags) {
  command.add("--io-patience", &flags.io_patience, ChangesNumbers::no,
              "Seconds to wait for storage that cannot be read before giving up",
              CLI::Range(int64_t{0}, int64_t{1} << 30));
  command.add("--decode-memory", &flags.decode_memory, ChangesNumbers::no,
              "MiB for the images that all threads decode at the same time; 0: 4096, but at most a "
              "quarter of the memory",
              CLI::Range(int64_t{0}, int64_t{1} << 30));
}

pixpro::Patience patience_of(const ReadingFlags& flags) {
  return {.limit = std::chrono::seconds(flags.io_patience), .report = warn};
}

int64_t decode_memory_bytes(const ReadingFlags& flags) {
  if (flags.decode_memory > 0) return flags.decode_memory << 20;
  return std::min(int64_t{4} << 30, engine::memory_limits().total / 4);
}

}  // namespace apps
