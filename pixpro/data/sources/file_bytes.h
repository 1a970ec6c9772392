// Reads whole files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/files/input_file.h"

namespace pixpro {

// The most bytes that an encoded image may have. More are refused before memory is taken for them.
constexpr int64_t kMaxEncodedBytes = int64_t{1} << 28;

// A file that alone seems to be the trouble: it was removed from a folder that still has other
// files, or its permissions deny reading. It need not come back, unlike storage that is away.
class LostFile : public engine::ReadError {
  using ReadError::ReadError;
};

// Replaces `bytes` by the file's. Errors do not have the path. Throws LostFile or another
// engine::ReadError if the file cannot be read now, and Error if it has more than kMaxEncodedBytes
// or is not a regular file (reading a pipe might never end).
void read_file(const std::filesystem::path& path, std::vector<uint8_t>& bytes);

}  // namespace pixpro
