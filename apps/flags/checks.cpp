#include "apps/flags/checks.h"

#include <cstdint>
#include <sstream>

#include "apps/flags/parse_number.h"

namespace apps {
CLI::Validator number_in(double low, double high) {
  std::ostringstream range;
  range << "from " << low << " to " << high;
  const auto check = [low, high, range = range.str()](const std::string& text) -> std::string {
    const std::optional<double> value = parse_number<double>(text);
    if (value && low <= *value && *value <= high) return {};
    return "expected a number " + range + ", found '" + text + "'";
  };
  return {check, range.str()};
}

CLI::Validator whole_number() {
  const auto check = [](const std::string& text) -> std::string {
    if (parse_number<uint64_t>(text)) return {};
    return "expected a whole number from 0 to 18446744073709551615, found '" + text + "'";
  };
  return {check, "0 or more"};
}

}  // namespace apps
