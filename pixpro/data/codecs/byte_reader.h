// Reads a file's bytes front to back.
#pragma once

#include <string>

#include "engine/error.h"
#include "pixpro/data/image.h"

namespace pixpro {

// Every member throws Error, naming the format, if the file ends too early.
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string format) : rest_(bytes), format_(std::move(format)) {}

  Bytes take(size_t count) {
    engine::require(count <= rest_.size(), format_, ": the file is cut short");
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  uint8_t byte() { return take(1)[0]; }

  // An unsigned number of up to four bytes.
  uint32_t little_endian(size_t count) {
    uint32_t value = 0, shift = 0;
    for (const uint8_t byte : take(count)) {
      value |= uint32_t{byte} << shift;
      shift += 8;
    }
    return value;
  }

  uint32_t big_endian(size_t count) {
    uint32_t value = 0;
    for (const uint8_t byte : take(count)) value = value << 8 | byte;
    return value;
  }

  Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
  std::string format_;
};

}  // namespace pixpro
