#include "pixpro/data/sources/fingerprint.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

namespace pixpro {
namespace {

constexpr int64_t kMostSizes = 4096;

// FNV-1a with 64 bits.
class Hash {
 public:
  void add(std::span<const char> bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
    }
  }
  void add(int64_t number) {
    std::array<char, 8> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(number >> (8 * i));
    add(bytes);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325u;
};

}  // namespace

std::string fingerprint_of(const Source& source) {
  Hash hash;
  const int64_t every = std::max<int64_t>(1, (source.size() + kMostSizes - 1) / kMostSizes);
  for (int64_t i = 0; i < source.size(); ++i) {
    const std::string path = source.path(i);
    hash.add(static_cast<int64_t>(path.size()));
    hash.add(path);
    if (i % every == 0) hash.add(source.bytes(i));
  }
  std::array<char, 17> digits;
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>(hash.value()));
  return digits.data();
}

}  // namespace pixpro
