// Whole files into memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace pixpro {

// The most bytes an encoded picture may have: more is refused before memory is taken for it.
constexpr int64_t kMaxEncodedBytes = int64_t{1} << 28;

// Replaces `bytes` by the file's. Throws Error where it cannot be read, is no regular file (a pipe
// would be waited for), or has more than kMaxEncodedBytes; the message leaves out the path.
void read_file(const std::filesystem::path& path, std::vector<uint8_t>& bytes);

}  // namespace pixpro
