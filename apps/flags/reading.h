// The flags that say how images are read.
#pragma once

#include <cstdint>

#include "apps/command.h"
#include "pixpro/data/sources/retry.h"

namespace apps {

struct ReadingFlags {
  int64_t io_patience = 300;  // seconds
  int64_t decode_memory = 0;  // MiB; 0: chosen by the machine
};

void add_reading_flags(Command& command, ReadingFlags& flags);

// Tells on stderr when reading waits for storage.
pixpro::Patience patience_of(const ReadingFlags& flags);

int64_t decode_memory_bytes(const ReadingFlags& flags);

}  // namespace apps
