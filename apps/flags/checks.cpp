#include "apps/flags/checks.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>

namespace apps {
namespace {

// The text as a number, if all of it is one.
template <class T>
std::optional<T> parse(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

}  // namespace

CLI::Validator number_in(double low, double high) {
  std::ostringstream range;
  range << "from " << low << " to " << high;
  const auto check = [low, high, range = range.str()](const std::string& text) -> std::string {
    const std::optional<double> value = parse<double>(text);
    if (value && low <= *value && *value <= high) return {};
    return "expected a number " + range + ", found '" + text + "'";
  };
  return {check, range.str()};
}

CLI::Validator whole_number() {
  const auto check = [](const std::string& text) -> std::string {
    if (parse<uint64_t>(text)) return {};
    return "expected a whole number from 0 to 18446744073709551615, found '" + text + "'";
  };
  return {check, "0 or more"};
}

}  // namespace apps
