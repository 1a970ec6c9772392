// Numbers in texts that people and other programs write.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace apps {

// The text as a number, if all of it is one.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

}  // namespace apps
