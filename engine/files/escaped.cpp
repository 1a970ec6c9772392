#include "engine/files/escaped.h"

#include <cstddef>
#include <cstdint>

namespace engine {
namespace {

// Control characters, separators of lines and paragraphs, and marks of direction.
bool is_invisible(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

// The bytes of the character that the text begins with; 0 if it is invisible or not UTF-8.
size_t visible_bytes(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return is_invisible(first) ? 0 : 1;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  constexpr uint32_t kLeast[] = {0x80, 0x800, 0x10000};  // smaller codes have a shorter form
  if (first < 0xC0 || first >= 0xF8 || bytes > text.size()) return 0;
  uint32_t code = first & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next & 0xC0) != 0x80) return 0;
    code = code << 6 | (next & 0x3F);
  }
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kLeast[bytes - 2] || code > 0x10FFFF || is_surrogate) return 0;
  return is_invisible(code) ? 0 : bytes;
}

std::string escape(char byte) {
  constexpr const char* kDigits = "0123456789abcdef";
  if (byte == '\n') return "\\n";
  if (byte == '\t') return "\\t";
  if (byte == '\r') return "\\r";
  const auto value = static_cast<uint8_t>(byte);
  return {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = visible_bytes(text);
    if (bytes > 0) {
      shown += text.substr(0, bytes);
    } else {
      shown += escape(text[0]);
    }
    text.remove_prefix(bytes > 0 ? bytes : 1);
  }
  return shown;
}

}  // namespace engine
