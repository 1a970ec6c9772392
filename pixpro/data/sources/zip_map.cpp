#include "pixpro/data/sources/zip_map.h"

#include <algorithm>
#include <cstdint>

#include "engine/error.h"

namespace pixpro {
namespace {

bool is_class_number(std::string_view text) {
  return !text.empty() && text.size() <= 9 &&
         std::ranges::all_of(text, [](char digit) { return digit >= '0' && digit <= '9'; });
}

// The beginning of a line, without control characters.
std::string excerpt(std::string_view line) {
  std::string shown(line.substr(0, 60));
  for (char& letter : shown) {
    if (static_cast<unsigned char>(letter) < ' ') letter = '?';
  }
  return line.size() > shown.size() ? shown + "..." : shown;
}

}  // namespace

std::vector<std::string> parse_map(std::string_view text) {
  std::vector<std::string> paths;
  for (int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t tab = line.find('\t');
    std::string_view path = line.substr(0, tab);
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view rest = tab == std::string_view::npos ? "" : line.substr(tab + 1);
    engine::require(!path.empty() && path.find('\0') == std::string_view::npos &&
                        is_class_number(rest.substr(0, rest.find('\t'))),
                    "line ", number, ": expected a path, a tab and a class number, found \"",
                    excerpt(line), "\"");
    paths.emplace_back(path);
  }
  engine::require(!paths.empty(), "expected one line per image, found none");
  return paths;
}

}  // namespace pixpro
