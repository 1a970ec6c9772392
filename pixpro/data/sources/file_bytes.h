// Reads whole files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace pixpro {

// The most bytes that an encoded image may have. More are refused before memory is taken for them.
constexpr int64_t kMaxEncodedBytes = int64_t{1} << 28;

// Replaces `bytes` by the file's. Throws Error, without the path, if the file cannot be read, has
// more than kMaxEncodedBytes, or is not a regular file (reading a pipe might never end).
void read_file(const std::filesystem::path& path, std::vector<uint8_t>& bytes);

}  // namespace pixpro
