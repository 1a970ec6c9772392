#include "pixpro/data/sources/zip_map.h"

#include <algorithm>
#include <cstdint>

#include "engine/error.h"
#include "engine/files/escaped.h"

namespace pixpro {
namespace {

constexpr size_t kLongestPath = 65535;  // in a zip archive
constexpr size_t kMostShown = 60;       // bytes of a line that a message shows

bool is_class_number(std::string_view text) {
  return text.size() <= 9 &&
         std::ranges::all_of(text, [](char digit) { return digit >= '0' && digit <= '9'; });
}

std::string excerpt(std::string_view line) {
  const std::string shown = engine::escaped(line.substr(0, kMostShown));
  return line.size() > kMostShown ? shown + "..." : shown;
}

// Without the beginning that names in an archive do not have.
std::string_view relative(std::string_view path) {
  for (;;) {
    if (path.starts_with('/')) {
      path.remove_prefix(1);
    } else if (path.starts_with("./")) {
      path.remove_prefix(2);
    } else {
      return path;
    }
  }
}

std::string_view without_mark(std::string_view text) {
  engine::require(!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF"),
                  "the text is UTF-16: save it as UTF-8");
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

}  // namespace

StringList parse_map(std::string_view text) {
  StringList paths;
  text = without_mark(text);
  for (int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    const size_t tab = std::min(line.find('\t'), line.size());
    const std::string_view path = relative(line.substr(0, tab));
    const std::string_view rest = line.substr(std::min(tab + 1, line.size()));
    engine::require(
        !path.empty() && path.size() <= kLongestPath && path.find('\0') == std::string_view::npos &&
            is_class_number(rest.substr(0, rest.find('\t'))),
        "line ", number, ": expected a path, or a path, a tab and a class number, found \"",
        excerpt(line), "\"");
    paths.add(path);
  }
  paths.shrink_to_fit();
  engine::require(paths.size() > 0, "expected one line per image, found none");
  return paths;
}

}  // namespace pixpro
